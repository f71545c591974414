/* cli/isle/ps_text.c - see ps_text.h */
#include "cli/isle/ps_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli/isle/output.h"

#define TEXT_BYTES_MAX (4u << 20)
#define COMMAND_LETTERS 20
#define MOUNT_LETTERS 15

static char *take_text(struct buf *b)
{
	char *s = b->data ? b->data : xstrdup("");

	*b = (struct buf){ 0 };
	return s;
}

char *ps_ellipsis(const char *s, size_t n)
{
	size_t letters = 0, cut = 0;

	for (size_t i = 0; s[i]; i++) {
		if (((unsigned char)s[i] & 0xc0) == 0x80)
			continue;
		if (++letters == n)
			cut = i;
	}
	return letters <= n ? xstrdup(s) : xasprintf("%.*s…", (int)cut, s);
}

/* --- status ----------------------------------------------------------------- */

static char *ago(const char *what, int code, int64_t since_ns, int64_t now_ns)
{
	CLEANUP_FREE char *d = output_duration((now_ns - since_ns) / 1000000000);

	return xasprintf("%s (%d) %s ago", what, code, d);
}

char *ps_status_text(const struct instance_status *s, int64_t now_ns)
{
	CLEANUP_FREE char *up = output_duration((now_ns - s->started_ns) / 1000000000);
	const char *health = s->health ? s->health : "";

	switch (s->state) {
	case INSTANCE_CREATED:
		return xstrdup("Created");
	case INSTANCE_PAUSED:
		return xasprintf("Up %s (Paused)", up);
	case INSTANCE_RESTARTING:
		return ago("Restarting", s->exit_code, s->finished_ns, now_ns);
	case INSTANCE_EXITED:
		return ago("Exited", s->exit_code, s->finished_ns, now_ns);
	case INSTANCE_DEAD:
		return xstrdup("Dead");
	case INSTANCE_REMOVING:
		return xstrdup("Removal In Progress");
	case INSTANCE_RUNNING:
		break;
	}
	if (strcmp(health, "starting") == 0)
		return xasprintf("Up %s (health: starting)", up);
	return *health ? xasprintf("Up %s (%s)", up, health) : xasprintf("Up %s", up);
}

/* --- the program ------------------------------------------------------------ */

static void add_words(struct buf *b, const struct oci_strv *words)
{
	for (size_t i = 0; i < words->n; i++)
		buf_printf(b, "%s%s", b->len ? " " : "", words->v[i]);
}

char *ps_command_text(const struct instance_config *c, bool trunc)
{
	CLEANUP(buf_release) struct buf line = BUF_INIT(TEXT_BYTES_MAX);
	CLEANUP(buf_release) struct buf quoted = BUF_INIT(TEXT_BYTES_MAX);

	add_words(&line, &c->entrypoint);
	add_words(&line, &c->cmd);
	CLEANUP_FREE char *text = trunc ? ps_ellipsis(line.data ? line.data : "", COMMAND_LETTERS)
					: xstrdup(line.data ? line.data : "");
	buf_add_str(&quoted, "\"");
	for (const char *p = text; *p; p++) {
		if (*p == '"' || *p == '\\')
			buf_printf(&quoted, "\\%c", *p);
		else if (*p == '\n' || *p == '\t')
			buf_printf(&quoted, "\\%c", *p == '\n' ? 'n' : 't');
		else
			buf_add(&quoted, p, 1);
	}
	buf_add_str(&quoted, "\"");
	return take_text(&quoted);
}

/* --- ports ------------------------------------------------------------------ */

static int by_port(const void *x, const void *y)
{
	const struct net_port *a = x, *b = y;
	int r = strcmp(a->host_ip, b->host_ip);

	if (r == 0)
		r = strcmp(a->protocol, b->protocol);
	if (r == 0)
		r = (int)a->port - (int)b->port;
	return r ? r : (int)a->host_port - (int)b->host_port;
}

static void add_range(struct buf *b, unsigned first, unsigned last)
{
	buf_printf(b, first == last ? "%u" : "%u-%u", first, last);
}

/* v[0..n) are neighbours; ip is an address as Docker shows it: "::" has no brackets. */
static void add_published(struct buf *b, const char *ip, const struct net_port *v, size_t n)
{
	buf_printf(b, "%s%s:", b->len ? ", " : "", ip);
	add_range(b, v[0].host_port, v[n - 1].host_port);
	buf_add_str(b, "->");
	add_range(b, v[0].port, v[n - 1].port);
	buf_printf(b, "/%s", v[0].protocol);
}

static bool neighbours(const struct net_port *a, const struct net_port *b)
{
	return strcmp(a->host_ip, b->host_ip) == 0 && strcmp(a->protocol, b->protocol) == 0 &&
	       b->port == a->port + 1 && b->host_port == a->host_port + 1;
}

static bool is_published(const struct instance_config *c, const char *exposed)
{
	char text[16];

	for (size_t i = 0; i < c->n_ports; i++) {
		snprintf(text, sizeof(text), "%u/%s", c->ports[i].port, c->ports[i].protocol);
		if (strcmp(text, exposed) == 0)
			return true;
	}
	return false;
}

char *ps_ports_text(const struct instance_config *c, bool up)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(TEXT_BYTES_MAX);
	CLEANUP_FREE struct net_port *v = xcalloc(c->n_ports + 1, sizeof(*v));
	size_t n;

	if (!up || (c->network_mode && strcmp(c->network_mode, "host") == 0))
		return xstrdup("");
	for (size_t i = 0; i < c->n_ports; i++)
		v[i] = c->ports[i];
	qsort(v, c->n_ports, sizeof(*v), by_port);
	for (size_t i = 0; i < c->n_ports; i += n) {
		for (n = 1; i + n < c->n_ports && neighbours(&v[i + n - 1], &v[i + n]); )
			n++;
		/* No address: both families, which are two entries in Docker's list. */
		add_published(&b, *v[i].host_ip ? v[i].host_ip : "0.0.0.0", v + i, n);
		if (!*v[i].host_ip)
			add_published(&b, "::", v + i, n);
	}
	for (size_t i = 0; i < c->expose.n; i++)
		if (!is_published(c, c->expose.v[i]))
			buf_printf(&b, "%s%s", b.len ? ", " : "", c->expose.v[i]);
	return take_text(&b);
}

/* --- the rest --------------------------------------------------------------- */

char *ps_labels_text(const struct oci_kvs *labels)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(TEXT_BYTES_MAX);

	for (size_t i = 0; i < labels->n; i++)
		buf_printf(&b, "%s%s=%s", i ? "," : "", labels->v[i].key, labels->v[i].value);
	return take_text(&b);
}

char *ps_mounts_text(const struct instance_config *c, bool trunc)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(TEXT_BYTES_MAX);

	for (size_t i = 0; i < c->n_mounts; i++) {
		const char *source = c->mounts[i].source;

		if (!source)
			continue;
		CLEANUP_FREE char *text = trunc ? ps_ellipsis(source, MOUNT_LETTERS)
						: xstrdup(source);
		buf_printf(&b, "%s%s", b.len ? "," : "", text);
	}
	return take_text(&b);
}

char *ps_networks_text(const struct instance_config *c)
{
	CLEANUP(buf_release) struct buf b = BUF_INIT(TEXT_BYTES_MAX);

	for (size_t i = 0; i < c->n_networks; i++)
		buf_printf(&b, "%s%s", i ? "," : "", c->networks[i].name);
	if (!b.len && c->network_mode)
		buf_add_str(&b, c->network_mode);
	return take_text(&b);
}
