/* image/pull_jobs.c - layers on several connections at once.  Layer: image. */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "image/pull_jobs.h"

#define DRAW_NS (50 * 1000000L)

struct pool {
	const struct jobs *j;
	pthread_mutex_t lock;           /* for what follows */
	size_t next, busy;
	struct err first;               /* of the first thread that failed */
};

static bool take(struct pool *p, size_t *ret)
{
	pthread_mutex_lock(&p->lock);
	bool taken = p->next < p->j->n && !atomic_load(p->j->stop);

	if (taken)
		*ret = p->next++;
	pthread_mutex_unlock(&p->lock);
	return taken;
}

static void leave(struct pool *p, int r, const struct err *e)
{
	pthread_mutex_lock(&p->lock);
	/* The others then end with "stopped", which nobody needs to read. */
	if (r < 0 && p->first.code == 0) {
		p->first = *e;
		atomic_store(p->j->stop, true);
	}
	p->busy--;
	pthread_mutex_unlock(&p->lock);
}

static void *worker(void *arg)
{
	struct pool *p = arg;
	CLEANUP_HTTP struct http *h = NULL;
	struct err e = { 0 };
	int r = client_http(p->j->client, &h, &e);

	for (size_t i; r == 0 && take(p, &i); )
		r = p->j->run(p->j->arg, h, i, &e);
	leave(p, r, &e);
	return NULL;
}

static size_t count_busy(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	size_t n = p->busy;

	pthread_mutex_unlock(&p->lock);
	return n;
}

int jobs_run(const struct jobs *j, struct err *e)
{
	struct pool p = { .j = j, .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t threads[JOBS_AT_ONCE];
	size_t wanted = j->n < JOBS_AT_ONCE ? j->n : JOBS_AT_ONCE, n = 0;
	int code = 0;

	p.busy = wanted;
	while (n < wanted && code == 0) {
		code = pthread_create(&threads[n], NULL, worker, &p);
		n += code == 0;
	}
	/* Fewer threads do as well; without any there is nobody to do it. */
	pthread_mutex_lock(&p.lock);
	p.busy -= wanted - n;
	pthread_mutex_unlock(&p.lock);
	while (count_busy(&p) > 0) {
		struct timespec t = { .tv_nsec = DRAW_NS };

		nanosleep(&t, NULL);
		progress_draw(j->progress);
	}
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	if (p.first.code != 0) {
		*e = p.first;
		return -e->code;
	}
	return wanted > 0 && n == 0 ? err_sys(e, code, "start a thread for a layer") : 0;
}
