/* net/table.c - see table.h */
#include "net/table.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "net/link.h"

/* User-defined networks: 1024 of 1022 addresses each, as many as a bridge has ports. */
#define POOL4 "10.208.0.0/12"
#define POOL4_PREFIX 22
#define POOL6 "fd69:736c:6501::/48"
#define POOL6_PREFIX 64

/* The default network, unless isle.conf says: the first that nobody here uses. */
static const char *const default4[] = {
	"172.29.0.0/16", "172.28.0.0/16", "172.27.0.0/16", "10.207.0.0/16", "192.168.208.0/20",
};
static const char *const default6[] = { "fd69:736c:6500::/64", "fd69:736c:6500:1::/64" };

/*
 * Networks: "host" and "none" are rows too, so that they have an ID and can be listed.
 * Endpoints: number is the host number in both subnets; NULL addresses are rootless ones,
 * where pasta gives the instance the host's own.
 */
const struct db_schema net_schema = {
	.area = "net",
	.sql =
	"CREATE TABLE IF NOT EXISTS networks("
	" id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, driver TEXT NOT NULL,"
	" device TEXT UNIQUE, subnet4 TEXT, gateway4 TEXT, range4 TEXT, subnet6 TEXT,"
	" gateway6 TEXT, internal INTEGER NOT NULL DEFAULT 0, mtu INTEGER NOT NULL DEFAULT 0,"
	" created INTEGER NOT NULL, labels TEXT NOT NULL DEFAULT '{}',"
	" options TEXT NOT NULL DEFAULT '{}', last INTEGER NOT NULL DEFAULT 0);"
	"CREATE TABLE IF NOT EXISTS endpoints("
	" instance TEXT NOT NULL, network TEXT NOT NULL REFERENCES networks(id),"
	" id TEXT NOT NULL, number INTEGER, ip4 TEXT, ip6 TEXT, mac TEXT,"
	" ifname TEXT NOT NULL, link TEXT NOT NULL, name TEXT NOT NULL,"
	" hostname TEXT NOT NULL, aliases TEXT NOT NULL,"
	" PRIMARY KEY(instance, network), UNIQUE(network, number), UNIQUE(network, ip6),"
	" UNIQUE(instance, ifname)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS ports("
	" protocol TEXT NOT NULL, host_port INTEGER NOT NULL, host_ip TEXT NOT NULL,"
	" instance TEXT NOT NULL, network TEXT NOT NULL, port INTEGER NOT NULL,"
	" PRIMARY KEY(protocol, host_port, host_ip)) WITHOUT ROWID;"
	"CREATE INDEX IF NOT EXISTS ports_instance ON ports(instance, network);"
	"INSERT OR IGNORE INTO networks(id, name, driver, created) VALUES"
	" (lower(hex(randomblob(32))), 'bridge', 'bridge', strftime('%s','now') * 1000000000),"
	" (lower(hex(randomblob(32))), 'host', 'host', strftime('%s','now') * 1000000000),"
	" (lower(hex(randomblob(32))), 'none', 'null', strftime('%s','now') * 1000000000);",
};

int table_random_hex(char *ret, size_t n, struct err *e)
{
	unsigned char raw[32];

	if (n > sizeof(raw) || getrandom(raw, n, 0) != (ssize_t)n)
		return err_sys(e, errno, "get %zu random bytes", n);
	for (size_t i = 0; i < n; i++) {
		ret[2 * i] = "0123456789abcdef"[raw[i] >> 4];
		ret[2 * i + 1] = "0123456789abcdef"[raw[i] & 15];
	}
	ret[2 * n] = 0;
	return 0;
}

static int read_subnet(struct network *net, const char *s4, const char *s6, const char *range,
		       struct err *e)
{
	int r = 0;

	if (s4)
		r = subnet_parse(s4, AF_INET, &net->subnet4, e);
	if (r == 0 && s6)
		r = subnet_parse(s6, AF_INET6, &net->subnet6, e);
	if (r < 0 || !s4)
		return r;
	net->first = 1;
	net->last = subnet_last(&net->subnet4);
	if (range) {
		struct subnet part;
		r = subnet_parse(range, AF_INET, &part, e);
		if (r < 0 || subnet_number(&net->subnet4, &part.addr, &net->first) < 0)
			return err_set(e, EINVAL, "range %s is not in subnet %s", range, s4);
		uint32_t end = net->first + (uint32_t)((1ull << (32 - part.prefix)) - 1);
		net->last = end < net->last ? end : net->last;
		net->first += net->first == 0;
	}
	return 0;
}

int table_network_read(struct db_stmt *q, int c, struct arena *a, struct network *ret,
		       struct err *e)
{
	const char *gateway4 = db_text(q, c + 5), *gateway6 = db_text(q, c + 8);

	*ret = (struct network){
		.id = arena_strdup(a, db_text(q, c)),
		.name = arena_strdup(a, db_text(q, c + 1)),
		.driver = arena_strdup(a, db_text(q, c + 2)),
		.device = arena_strdup(a, db_text(q, c + 3)),
		.internal = db_int(q, c + 9) != 0,
		.mtu = (unsigned)db_int(q, c + 10),
		.created_ns = db_int(q, c + 11),
		.labels = arena_strdup(a, db_text(q, c + 12)),
		.options = arena_strdup(a, db_text(q, c + 13)),
	};
	int r = read_subnet(ret, db_text(q, c + 4), db_text(q, c + 7), db_text(q, c + 6), e);
	if (r < 0)
		return err_prefix(e, "network %s", ret->name);
	if ((gateway4 && addr_parse(gateway4, &ret->gateway4) < 0) ||
	    (gateway6 && addr_parse(gateway6, &ret->gateway6) < 0))
		return err_set(e, EUCLEAN, "network %s: the table holds a bad gateway", ret->name);
	return 0;
}

/* ---- subnets --------------------------------------------------------------------- */

struct check {
	const struct subnet *s;
	bool hit;
	char text[ADDR_TEXT_MAX];
};

static int check_route(const struct subnet *route, const char *device, void *arg)
{
	struct check *c = arg;

	/* A default route covers everything and means nothing; our own bridges are in the
	 * table. */
	if (route->prefix == 0 || c->hit || strncmp(device, "isle", 4) == 0 ||
	    !subnet_overlaps(route, c->s))
		return 0;
	c->hit = true;
	subnet_format(route, c->text);
	return 0;
}

int table_check_subnet(const struct net *n, const struct subnet *s, struct err *e)
{
	struct check c = { .s = s };
	char text[ADDR_TEXT_MAX];
	CLEANUP_STMT struct db_stmt *q = NULL;
	const char *column = s->addr.family == AF_INET ? "subnet4" : "subnet6";
	CLEANUP_FREE char *sql = xasprintf("SELECT name, %s FROM networks WHERE %s NOT NULL",
					   column, column);

	subnet_format(s, text);
	int r = db_query(n->db, &q, e, sql, "");
	for (; r > 0; r = db_next(q, e)) {
		struct subnet other;
		if (subnet_parse(db_text(q, 1), s->addr.family, &other, e) == 0 &&
		    subnet_overlaps(&other, s))
			return err_set(e, EEXIST, "subnet %s overlaps %s of network %s", text,
				       db_text(q, 1), db_text(q, 0));
	}
	if (r < 0)
		return r;
	r = link_routes(s->addr.family, check_route, &c, e);
	if (r < 0)
		return r;
	return c.hit ? err_set(e, EEXIST, "subnet %s overlaps the host's route to %s", text,
			       c.text) : 0;
}

int table_free_subnet(const struct net *n, int family, struct subnet *ret, struct err *e)
{
	struct subnet pool;
	unsigned prefix = family == AF_INET ? POOL4_PREFIX : POOL6_PREFIX;
	int r = subnet_parse(family == AF_INET ? POOL4 : POOL6, family, &pool, e);

	for (uint32_t i = 0; r == 0 && i < 1024; i++) {
		struct addr a = pool.addr;
		if (family == AF_INET) {
			a.b[1] |= (uint8_t)(i >> 6);
			a.b[2] |= (uint8_t)(i << 2);
		} else {
			a.b[6] |= (uint8_t)(i >> 8);
			a.b[7] |= (uint8_t)i;
		}
		*ret = (struct subnet){ .addr = a, .prefix = prefix };
		r = table_check_subnet(n, ret, e);
		if (r != -EEXIST)
			return r;
		r = 0;
	}
	return r < 0 ? r : err_set(e, ENOSPC, "no free subnet is left in %s; name one with "
				   "--subnet", family == AF_INET ? POOL4 : POOL6);
}

/* ---- the default network ----------------------------------------------------------- */

/* wanted: of isle.conf, or NULL for the first free of list. */
static int default_subnet(const struct net *n, int family, const char *wanted,
			  const char *const *list, size_t n_list, struct subnet *ret,
			  struct err *e)
{
	int r = -EEXIST;

	if (wanted) {
		r = subnet_parse(wanted, family, ret, e);
		r = r < 0 ? r : table_check_subnet(n, ret, e);
		return r < 0 ? err_prefix(e, "default network (isle.conf)") : 0;
	}
	for (size_t i = 0; i < n_list && r == -EEXIST; i++) {
		r = subnet_parse(list[i], family, ret, e);
		r = r < 0 ? r : table_check_subnet(n, ret, e);
	}
	return r < 0 ? err_prefix(e, "default network: set subnet%d in isle.conf",
				  family == AF_INET ? 4 : 6) : 0;
}

static int default_fill(const struct net *n, const char *id, struct err *e)
{
	struct subnet s4, s6 = { 0 };
	char t4[ADDR_TEXT_MAX], g4[ADDR_TEXT_MAX], t6[ADDR_TEXT_MAX], g6[ADDR_TEXT_MAX];
	bool with6 = link_has_ipv6() && !(n->subnet6 && strcmp(n->subnet6, "none") == 0);

	int r = default_subnet(n, AF_INET, n->subnet4, default4, ARRAY_LEN(default4), &s4, e);
	if (r == 0 && with6)
		r = default_subnet(n, AF_INET6, n->subnet6, default6, ARRAY_LEN(default6), &s6, e);
	if (r < 0)
		return r;
	struct addr first4 = subnet_host(&s4, 1), first6 = { 0 };
	if (with6)
		first6 = subnet_host(&s6, 1);
	subnet_format(&s4, t4);
	subnet_format(&s6, t6);
	addr_format(&first4, g4);
	addr_format(&first6, g6);
	return db_run(n->db, e, "UPDATE networks SET device = ?, subnet4 = ?, gateway4 = ?, "
		      "subnet6 = ?, gateway6 = ? WHERE id = ? AND subnet4 IS NULL", "ssssss",
		      n->bridge, t4, g4, with6 ? t6 : NULL, with6 ? g6 : NULL, id);
}

static int find(const struct net *n, const char *what, struct arena *a, struct network *ret,
		struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;

	/* A name wins over an ID; of IDs only a prefix that one network has counts. */
	int r = db_query(n->db, &q, e, "SELECT " TABLE_NETWORK_COLUMNS " FROM networks n "
			 "WHERE n.name = ?", "s", what);
	if (r == 0 && strlen(what) >= 3 && strspn(what, "0123456789abcdef") == strlen(what)) {
		db_end(q);
		q = NULL;
		r = db_query(n->db, &q, e, "SELECT " TABLE_NETWORK_COLUMNS " FROM networks n "
			     "WHERE substr(n.id, 1, length(?)) = ?", "ss", what, what);
	}
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(e, ENOENT, "network %s not found", what);
	r = table_network_read(q, 0, a, ret, e);
	if (r < 0)
		return r;
	r = db_next(q, e);
	return r <= 0 ? r : err_set(e, EINVAL, "network %s: more than one ID begins so", what);
}

int table_network(const struct net *n, const char *what, struct arena *a, struct network *ret,
		  struct err *e)
{
	int r = find(n, what, a, ret, e);

	if (r < 0 || ret->subnet4.addr.family != 0 || strcmp(ret->name, NET_DEFAULT) != 0 ||
	    n->rootless)
		return r;
	r = db_begin(n->db, e);
	if (r < 0)
		return r;
	r = default_fill(n, ret->id, e);
	if (r < 0) {
		db_rollback(n->db);
		return r;
	}
	r = db_commit(n->db, e);
	return r < 0 ? r : find(n, what, a, ret, e);
}

/* ---- endpoints --------------------------------------------------------------------- */

void endpoints_release(struct endpoints *l)
{
	for (size_t i = 0; i < l->n; i++)
		json_decref(l->v[i].aliases);
	free(l->v);
	arena_release(&l->arena);
	*l = (struct endpoints){ 0 };
}

#define ENDPOINT_COLUMNS \
	"SELECT " TABLE_NETWORK_COLUMNS ", e.id, e.instance, e.ifname, e.link, e.name, " \
	"e.hostname, e.mac, e.ip4, e.ip6, e.aliases FROM endpoints e " \
	"JOIN networks n ON n.id = e.network "

static int endpoint_read(struct db_stmt *q, struct arena *a, struct endpoint *ret,
			 struct err *e)
{
	const int c = TABLE_NETWORK_COLUMN_COUNT;
	const char *ip4 = db_text(q, c + 7), *ip6 = db_text(q, c + 8);

	*ret = (struct endpoint){
		.id = arena_strdup(a, db_text(q, c)),
		.instance = arena_strdup(a, db_text(q, c + 1)),
		.ifname = arena_strdup(a, db_text(q, c + 2)),
		.link = arena_strdup(a, db_text(q, c + 3)),
		.name = arena_strdup(a, db_text(q, c + 4)),
		.hostname = arena_strdup(a, db_text(q, c + 5)),
		.mac = arena_strdup(a, db_text(q, c + 6)),
	};
	int r = table_network_read(q, 0, a, &ret->net, e);
	if (r < 0)
		return r;
	if ((ip4 && addr_parse(ip4, &ret->ip4) < 0) || (ip6 && addr_parse(ip6, &ret->ip6) < 0))
		return err_set(e, EUCLEAN, "the table holds a bad address of %s", ret->name);
	const char *aliases = db_text(q, c + 9);
	return json_parse("aliases", aliases, strlen(aliases), &ret->aliases, e);
}

static int endpoints_read(struct db_stmt *q, int r, struct endpoints *ret, struct err *e)
{
	for (; r > 0; r = db_next(q, e)) {
		ret->v = xreallocarray(ret->v, ret->n + 1, sizeof(*ret->v));
		r = endpoint_read(q, &ret->arena, &ret->v[ret->n++], e);
		if (r < 0)
			break;
	}
	if (r < 0)
		endpoints_release(ret);
	return r;
}

int table_endpoints(struct db *db, const char *instance, const char *network,
		    struct endpoints *ret, struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;

	*ret = (struct endpoints){ 0 };
	/* eth10 comes after eth9. */
	int r = db_query(db, &q, e, ENDPOINT_COLUMNS
			 "WHERE e.instance = ? AND (? IS NULL OR e.network = ?) "
			 "ORDER BY length(e.ifname), e.ifname", "sss", instance, network, network);
	return endpoints_read(q, r, ret, e);
}

int table_endpoints_on(struct db *db, const char *network, struct endpoints *ret,
		       struct err *e)
{
	CLEANUP_STMT struct db_stmt *q = NULL;

	*ret = (struct endpoints){ 0 };
	int r = db_query(db, &q, e, ENDPOINT_COLUMNS "WHERE e.network = ? ORDER BY e.number", "s",
			 network);
	return endpoints_read(q, r, ret, e);
}
