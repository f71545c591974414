/* image/unpack_queue.c - see unpack_queue.h */
#include "image/unpack_queue.h"

#include "base/mem.h"

void queue_init(struct queue *q, size_t slot_bytes)
{
	*q = (struct queue){ .slot_bytes = slot_bytes };
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->changed, NULL);
	for (unsigned i = 0; i < QUEUE_SLOTS; i++)
		q->slot[i] = xmalloc(slot_bytes);
}

void queue_release(struct queue *q)
{
	for (unsigned i = 0; i < QUEUE_SLOTS; i++)
		free(q->slot[i]);
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->lock);
}

char *queue_room(struct queue *q)
{
	char *p;

	pthread_mutex_lock(&q->lock);
	while (q->head - q->tail == QUEUE_SLOTS && !q->stopped)
		pthread_cond_wait(&q->changed, &q->lock);
	p = q->stopped ? NULL : q->slot[q->head % QUEUE_SLOTS];
	pthread_mutex_unlock(&q->lock);
	return p;
}

void queue_put(struct queue *q, size_t n)
{
	pthread_mutex_lock(&q->lock);
	q->len[q->head++ % QUEUE_SLOTS] = n;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

void queue_close(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->closed = true;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

const char *queue_get(struct queue *q, size_t *ret_n)
{
	const char *p = NULL;

	pthread_mutex_lock(&q->lock);
	while (q->head == q->tail && !q->closed && !q->stopped)
		pthread_cond_wait(&q->changed, &q->lock);
	if (q->head != q->tail && !q->stopped) {
		*ret_n = q->len[q->tail % QUEUE_SLOTS];
		p = q->slot[q->tail % QUEUE_SLOTS];
	}
	pthread_mutex_unlock(&q->lock);
	return p;
}

void queue_done(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->tail++;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

void queue_stop(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->stopped = true;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

bool queue_stopped(struct queue *q)
{
	bool stopped;

	pthread_mutex_lock(&q->lock);
	stopped = q->stopped;
	pthread_mutex_unlock(&q->lock);
	return stopped;
}
