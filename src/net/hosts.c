/* net/hosts.c - see hosts.h and net.h */
#include "net/hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"

#define HOSTS_BYTES_MAX (4u << 20)
#define SHORT_ID 12

static const char mark[] = "# isle: the networks' names; what is below is written anew\n";

static const char head[] =
	"127.0.0.1\tlocalhost\n"
	"::1\tlocalhost ip6-localhost ip6-loopback\n"
	"fe00::0\tip6-localnet\n"
	"ff00::0\tip6-mcastprefix\n"
	"ff02::1\tip6-allnodes\n"
	"ff02::2\tip6-allrouters\n";

static bool user_defined(const struct network *net)
{
	return strcmp(net->name, NET_DEFAULT) != 0;
}

/* "ADDRESS\tNAME NAME...\n", each name once. */
static void add_line(struct buf *b, const struct addr *a, const struct endpoint *ep, bool own)
{
	char text[ADDR_TEXT_MAX], id[SHORT_ID + 1];
	const char *names[64];
	size_t n = 0, i;
	json_t *alias;

	if (a->family == 0)
		return;
	addr_format(a, text);
	memcpy(id, ep->instance, strnlen(ep->instance, SHORT_ID));
	id[strnlen(ep->instance, SHORT_ID)] = 0;
	if (own && ep->hostname[0])
		names[n++] = ep->hostname;
	if (user_defined(&ep->net)) {
		names[n++] = ep->name;
		json_array_foreach(ep->aliases, i, alias) {
			if (n + 1 < ARRAY_LEN(names) && json_is_string(alias))
				names[n++] = json_string_value(alias);
		}
		names[n++] = id;
	}
	if (n == 0)
		return;
	buf_add_str(b, text);
	for (i = 0; i < n; i++) {
		bool again = false;
		for (size_t j = 0; j < i; j++)
			again = again || strcmp(names[i], names[j]) == 0;
		if (!again)
			buf_printf(b, "%c%s", i == 0 ? '\t' : ' ', names[i]);
	}
	buf_add_str(b, "\n");
}

static int add_block(const struct net *n, const char *instance, struct buf *b, struct err *e)
{
	struct endpoints own CLEANUP_ENDPOINTS = { 0 };
	int r = table_endpoints(n->db, instance, NULL, &own, e);

	buf_add_str(b, mark);
	for (size_t i = 0; r == 0 && i < own.n; i++) {
		/* Rootless nothing is leased: pasta's address is the host's, which may change. */
		if (!own.v[i].ip4.family && !own.v[i].ip6.family && own.v[i].hostname[0])
			buf_printf(b, "127.0.1.1\t%s\n", own.v[i].hostname);
		add_line(b, &own.v[i].ip4, &own.v[i], true);
		add_line(b, &own.v[i].ip6, &own.v[i], true);
	}
	for (size_t i = 0; r == 0 && i < own.n; i++) {
		struct endpoints others CLEANUP_ENDPOINTS = { 0 };
		if (!user_defined(&own.v[i].net))
			continue;
		r = table_endpoints_on(n->db, own.v[i].net.id, &others, e);
		for (size_t j = 0; r == 0 && j < others.n; j++) {
			if (strcmp(others.v[j].instance, instance) == 0)
				continue;
			add_line(b, &others.v[j].ip4, &others.v[j], false);
			add_line(b, &others.v[j].ip6, &others.v[j], false);
		}
	}
	return r;
}

/* In place: first what is new, then the end cut off. */
static int rewrite(int fd, const struct buf *b)
{
	if (b->overflow)
		return -EFBIG;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	int r = fd_write_all(fd, b->data, b->len);
	if (r == 0 && ftruncate(fd, (off_t)b->len) < 0)
		r = -errno;
	return r;
}

static int refresh_one(const struct net *n, const char *instance, struct err *e)
{
	CLEANUP_FREE char *path = xasprintf("%s/%s/hosts", n->bundles, instance);
	struct buf b __attribute__((cleanup(buf_release))) = BUF_INIT(HOSTS_BYTES_MAX);
	CLEANUP_FD int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "open %s", path);
	/* Whoever comes last under the lock reads the newest table. */
	if (TEMP_FAILURE_RETRY(flock(fd, LOCK_EX)) < 0)
		return err_sys(e, errno, "lock %s", path);
	int r = fd_read_buf(fd, &b);
	if (r < 0)
		return err_sys(e, -r, "read %s", path);
	char *at = b.data ? strstr(b.data, mark) : NULL;
	/* Without our line the user has made the file his own. */
	if (!at)
		return 0;
	b.len = (size_t)(at - b.data);
	r = add_block(n, instance, &b, e);
	if (r < 0)
		return r;
	r = rewrite(fd, &b);
	return r < 0 ? err_sys(e, -r, "write %s", path) : 0;
}

int hosts_refresh(const struct net *n, const struct endpoints *l, const char *without,
		  struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < l->n; i++) {
		struct endpoints all CLEANUP_ENDPOINTS = { 0 };
		if (!user_defined(&l->v[i].net))
			continue;
		r = table_endpoints_on(n->db, l->v[i].net.id, &all, e);
		for (size_t j = 0; r == 0 && j < all.n; j++)
			r = refresh_one(n, all.v[j].instance, e);
	}
	/* Who has left one network may be on others: its file loses the names. */
	return r == 0 && without ? refresh_one(n, without, e) : r;
}

/* "name:ip" or "name=ip"; an IPv6 address may be in brackets. */
static int add_extra(const struct net *n, const char *instance, const char *text,
		     struct buf *b, struct err *e)
{
	size_t len = strcspn(text, ":=");
	const char *ip = text[len] ? text + len + 1 : "";
	char gateway[ADDR_TEXT_MAX], plain[ADDR_TEXT_MAX];
	struct addr a;

	if (len == 0 || !ip[0])
		return err_set(e, EINVAL, "\"%s\" is not NAME:IP", text);
	if (strcmp(ip, "host-gateway") == 0) {
		struct endpoints l CLEANUP_ENDPOINTS = { 0 };
		int r = table_endpoints(n->db, instance, NULL, &l, e);
		if (r < 0)
			return r;
		if (l.n == 0 || l.v[0].net.gateway4.family == 0)
			return err_set(e, EINVAL, "\"%s\": the instance is on no network that has "
				       "a gateway", text);
		addr_format(&l.v[0].net.gateway4, gateway);
		ip = gateway;
	}
	size_t n_ip = strlen(ip);
	if (ip[0] == '[' && ip[n_ip - 1] == ']' && n_ip < sizeof(plain)) {
		memcpy(plain, ip + 1, n_ip - 2);
		plain[n_ip - 2] = 0;
		ip = plain;
	}
	if (addr_parse(ip, &a) < 0)
		return err_set(e, EINVAL, "\"%s\": %s is not an IP address", text, ip);
	buf_printf(b, "%s\t%.*s\n", ip, (int)len, text);
	return 0;
}

int net_write_hosts(const struct net *n, const char *instance, const char *path,
		    const struct oci_strv *extra, struct err *e)
{
	struct buf b __attribute__((cleanup(buf_release))) = BUF_INIT(HOSTS_BYTES_MAX);
	CLEANUP_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return err_sys(e, errno, "open %s", path);
	if (TEMP_FAILURE_RETRY(flock(fd, LOCK_EX)) < 0)
		return err_sys(e, errno, "lock %s", path);
	buf_add_str(&b, head);
	int r = 0;
	for (size_t i = 0; r == 0 && extra && i < extra->n; i++)
		r = add_extra(n, instance, extra->v[i], &b, e);
	r = r < 0 ? r : add_block(n, instance, &b, e);
	if (r < 0)
		return r;
	r = rewrite(fd, &b);
	return r < 0 ? err_sys(e, -r, "write %s", path) : 0;
}
