#pragma once
/*
 * image/unpack_queue.h - a ring of buffers between two threads.  Layer: image.
 *
 * One thread fills, one empties; each blocks for the other.  queue_stop() ends both.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define QUEUE_SLOTS 4

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t slot_bytes;
	char *slot[QUEUE_SLOTS];
	size_t len[QUEUE_SLOTS];
	unsigned head, tail;            /* counts of slots filled and emptied */
	bool closed, stopped;
};

void queue_init(struct queue *q, size_t slot_bytes);
void queue_release(struct queue *q);

/* The next slot to fill, slot_bytes long; NULL when stopped. */
char *queue_room(struct queue *q);
void queue_put(struct queue *q, size_t n);
/* No more will be put. */
void queue_close(struct queue *q);
/* The next slot to empty, NULL when closed and empty, or stopped. */
const char *queue_get(struct queue *q, size_t *ret_n);
void queue_done(struct queue *q);
void queue_stop(struct queue *q);
bool queue_stopped(struct queue *q);
