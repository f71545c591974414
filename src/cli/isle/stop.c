/* cli/isle/stop.c - isle stop. */
#include <limits.h>

#include "base/mem.h"
#include "cli/isle/each.h"
#include "cli/isle/stop_time.h"
#include "cli/values.h"
#include "engine/life.h"

static const struct option options[] = {
	STOP_TIME_OPTIONS,
	OPTION_HELP,
};

int stop_time_parse(const char *s, void *target, struct err *e)
{
	struct opt_i64 *t = target;

	if (value_i64(s, &t->v, NULL) < 0 || t->v < -1 || t->v > INT_MAX / 1000)
		return err_set(e, EINVAL, "\"%s\" is not a number of seconds, nor -1", s);
	t->set = true;
	return 0;
}

int stop_signal_parse(const char *s, void *target, struct err *e)
{
	int r = value_signal(s, e);

	*(const char **)target = s;
	return r < 0 ? r : 0;
}

int stop_time_stop(struct isle_call *c, struct instance *in, const struct stop_time *t,
		   struct err *e)
{
	int signal = t->signal ? value_signal(t->signal, e) : 0;
	/* life_stop()'s -1 is the instance's own time, the user's is "for ever". */
	int ms = !t->seconds.set ? -1 : t->seconds.v < 0 ? INT_MAX : (int)t->seconds.v * 1000;

	return signal < 0 ? signal : life_stop(c->eng, in, signal, ms, e);
}

void stop_time_words(const struct stop_time *t, char number[STOP_TIME_TEXT],
		     const char *words[5])
{
	size_t n = 0;

	if (t->seconds.set) {
		snprintf(number, STOP_TIME_TEXT, "--time=%lld", (long long)t->seconds.v);
		words[n++] = number;
	}
	if (t->signal) {
		words[n++] = "--signal";
		words[n++] = t->signal;
	}
	words[n] = NULL;
}

static int stop_one(struct isle_call *c, struct instance *in, struct err *e)
{
	return stop_time_stop(c, in, c->target, e);
}

static int stop(struct isle_call *c, struct err *e)
{
	char number[STOP_TIME_TEXT];
	const char *words[5];

	stop_time_words(c->target, number, words);
	return each_at_once(c, "stop", words, stop_one, e);
}

const struct command command_stop = {
	.name = "stop",
	.aliases = "container stop",
	.args = "INSTANCE...",
	.summary = "stop instances: their stop signal, then KILL",
	.examples = "  isle stop -t 2 web\n",
	.options = { options, ARRAY_LEN(options) },
	.target_size = sizeof(struct stop_time),
	.min_args = 1,
	.max_args = COMMAND_ARGS_ANY,
	.run = stop,
};
