/* base/err.c - see err.h */
#include "base/err.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Here they are defined, not called: see the end of err.h. */
#undef err_set
#undef err_sys
#undef err_prefix

const char *err_text(int code)
{
	/* glibc capitalises; Docker and containerd match Go's lower case. */
	static _Thread_local char text[128];
	const char *s = strerrordesc_np(code);

	if (!s) {
		snprintf(text, sizeof(text), "errno %d", code);
		return text;
	}
	snprintf(text, sizeof(text), "%s", s);
	/* "I/O error", "RFS specific error" keep their capitals. */
	if (text[0] && !isupper((unsigned char)text[1]) && text[1] != '/')
		text[0] = (char)tolower((unsigned char)text[0]);
	return text;
}

static void err_clean(struct err *e)
{
	for (char *p = e->msg; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
}

static void err_vset(struct err *e, int code, const char *fmt, va_list ap)
{
	e->code = code;
	vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	err_clean(e);
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	if (e) {
		va_list ap;
		va_start(ap, fmt);
		err_vset(e, code, fmt, ap);
		va_end(ap);
	}
	return -code;
}

int err_sys(struct err *e, int code, const char *fmt, ...)
{
	if (e) {
		va_list ap;
		va_start(ap, fmt);
		err_vset(e, code, fmt, ap);
		va_end(ap);

		size_t n = strlen(e->msg);
		snprintf(e->msg + n, sizeof(e->msg) - n, ": %s", err_text(code));
	}
	return -code;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	if (!e)
		return 0;

	char old[ERR_MSG_MAX];
	int code = e->code;
	va_list ap;

	memcpy(old, e->msg, sizeof(old));
	va_start(ap, fmt);
	err_vset(e, code, fmt, ap);
	va_end(ap);

	size_t n = strlen(e->msg);
	snprintf(e->msg + n, sizeof(e->msg) - n, ": %s", old);
	return -code;
}
