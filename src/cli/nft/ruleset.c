/*
 * cli/nft/ruleset.c - see ruleset.h
 *
 * What `nft list table inet isle` shows:
 *
 *   set bridges                      every bridge of ours
 *   set internal                     those of internal networks
 *   set same                         bridge . bridge, each with itself
 *   map anyports4, anyports6         protocol . port : instance's address . port
 *   map ports4, ports6               protocol . host address . port : the same
 *
 *   chain raw         iifname @bridges ip daddr|saddr 127.0.0.0/8 drop
 *                     (route_localnet is on for the bridges: see net/link.c)
 *   chain forward     iifname . oifname @same ct status dnat meta mark set HAIRPIN
 *                     iifname . oifname @same accept
 *                     iifname @internal drop; oifname @internal drop
 *                     oifname @bridges ct state established,related accept
 *                     oifname @bridges ct status dnat accept
 *                     oifname @bridges drop
 *   chain output      ip6 daddr ::1 accept
 *   chain prerouting, output    fib daddr type local jump publish
 *   chain publish     dnat to ... map @ports4, @anyports4, @ports6, @anyports6
 *   chain postrouting oifname @bridges ip saddr 127.0.0.0/8 masquerade
 *                     oifname @bridges meta mark HAIRPIN masquerade
 *                     oifname @bridges accept                             (sources kept)
 *                     iifname @bridges masquerade
 *
 * So instances of one network talk freely; from outside, another network included, only
 * what is published gets in.
 */
#include "cli/nft/ruleset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/if.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* "isle": on packets that go from forward to postrouting, nowhere else. */
#define HAIRPIN 0x69736c65

/* ---- table, chains, sets --------------------------------------------------------------- */

static void add_table(struct batch *b, uint16_t type, uint16_t flags)
{
	struct nftnl_table *t = nftnl_table_alloc();
	struct nlmsghdr *h = batch_message(b, type, flags, 64);

	nftnl_table_set_str(t, NFTNL_TABLE_NAME, TABLE);
	nftnl_table_nlmsg_build_payload(h, t);
	batch_end(b, h);
	nftnl_table_free(t);
}

struct chain {
	const char *name, *type;        /* type NULL: jumped to */
	uint32_t hook;
	int32_t priority;
};

/* Priorities: raw, filter, dstnat and srcnat of linux/netfilter_ipv4.h. */
static const struct chain chains[] = {
	{ "raw", "filter", NF_INET_PRE_ROUTING, -300 },
	{ "forward", "filter", NF_INET_FORWARD, 0 },
	{ "publish", NULL, 0, 0 },
	{ "prerouting", "nat", NF_INET_PRE_ROUTING, -100 },
	{ "output", "nat", NF_INET_LOCAL_OUT, -100 },
	{ "postrouting", "nat", NF_INET_POST_ROUTING, 100 },
};

static void add_chain(struct batch *b, const struct chain *c)
{
	struct nftnl_chain *n = nftnl_chain_alloc();
	struct nlmsghdr *h = batch_message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE, 256);

	nftnl_chain_set_str(n, NFTNL_CHAIN_TABLE, TABLE);
	nftnl_chain_set_str(n, NFTNL_CHAIN_NAME, c->name);
	if (c->type) {
		nftnl_chain_set_str(n, NFTNL_CHAIN_TYPE, c->type);
		nftnl_chain_set_u32(n, NFTNL_CHAIN_HOOKNUM, c->hook);
		nftnl_chain_set_s32(n, NFTNL_CHAIN_PRIO, c->priority);
		nftnl_chain_set_u32(n, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	}
	nftnl_chain_nlmsg_build_payload(h, n);
	batch_end(b, h);
	nftnl_chain_free(n);
}

/* Types as nft(8) numbers and prints them; a concatenation is six bits for each part. */
enum { TYPE_IP = 7, TYPE_IP6 = 8, TYPE_PROTO = 12, TYPE_PORT = 13, TYPE_IFNAME = 41 };
#define TYPE2(a, b) ((a) << 6 | (b))
#define TYPE3(a, b, c) (TYPE2(a, b) << 6 | (c))

struct set {
	const char *name;
	uint32_t key_type, key_bytes, data_type, data_bytes;    /* data 0: a set, else a map */
};

enum { SET_BRIDGES, SET_INTERNAL, SET_SAME, SET_PORTS4, SET_ANY4, SET_PORTS6, SET_ANY6 };

static const struct set sets[] = {
	[SET_BRIDGES] = { "bridges", TYPE_IFNAME, 16, 0, 0 },
	[SET_INTERNAL] = { "internal", TYPE_IFNAME, 16, 0, 0 },
	[SET_SAME] = { "same", TYPE2(TYPE_IFNAME, TYPE_IFNAME), 32, 0, 0 },
	[SET_PORTS4] = { "ports4", TYPE3(TYPE_PROTO, TYPE_IP, TYPE_PORT), 12,
			 TYPE2(TYPE_IP, TYPE_PORT), 8 },
	[SET_ANY4] = { "anyports4", TYPE2(TYPE_PROTO, TYPE_PORT), 8,
		       TYPE2(TYPE_IP, TYPE_PORT), 8 },
	[SET_PORTS6] = { "ports6", TYPE3(TYPE_PROTO, TYPE_IP6, TYPE_PORT), 24,
			 TYPE2(TYPE_IP6, TYPE_PORT), 20 },
	[SET_ANY6] = { "anyports6", TYPE2(TYPE_PROTO, TYPE_PORT), 8,
		       TYPE2(TYPE_IP6, TYPE_PORT), 20 },
};

static const uint8_t host_order[] = { 0, 4, 1, 0, 0, 0 };

static void add_set(struct batch *b, const struct set *s, uint32_t id)
{
	struct nftnl_set *n = nftnl_set_alloc();
	struct nlmsghdr *h = batch_message(b, NFT_MSG_NEWSET, NLM_F_CREATE, 256);

	nftnl_set_set_str(n, NFTNL_SET_TABLE, TABLE);
	nftnl_set_set_str(n, NFTNL_SET_NAME, s->name);
	nftnl_set_set_u32(n, NFTNL_SET_ID, id);
	nftnl_set_set_u32(n, NFTNL_SET_KEY_TYPE, s->key_type);
	nftnl_set_set_u32(n, NFTNL_SET_KEY_LEN, s->key_bytes);
	/* For nft(8), which else prints no device's name: struct nftnl_udata, type 0 is the
	 * key's byte order and 1 the host's. */
	if (s->key_type == TYPE_IFNAME)
		nftnl_set_set_data(n, NFTNL_SET_USERDATA, host_order, sizeof(host_order));
	if (s->data_bytes) {
		nftnl_set_set_u32(n, NFTNL_SET_FLAGS, NFT_SET_MAP);
		nftnl_set_set_u32(n, NFTNL_SET_DATA_TYPE, s->data_type);
		nftnl_set_set_u32(n, NFTNL_SET_DATA_LEN, s->data_bytes);
	}
	nftnl_set_nlmsg_build_payload(h, n);
	batch_end(b, h);
	nftnl_set_free(n);
}

static void element(struct batch *b, unsigned set, const void *key, const void *data, bool add)
{
	const struct set *s = &sets[set];
	struct nftnl_set *n = nftnl_set_alloc();
	struct nftnl_set_elem *el = nftnl_set_elem_alloc();
	struct nlmsghdr *h = batch_message(b, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
					   add ? NLM_F_CREATE : 0, 512);

	nftnl_set_set_str(n, NFTNL_SET_TABLE, TABLE);
	nftnl_set_set_str(n, NFTNL_SET_NAME, s->name);
	nftnl_set_elem_set(el, NFTNL_SET_ELEM_KEY, key, s->key_bytes);
	if (add && s->data_bytes)
		nftnl_set_elem_set(el, NFTNL_SET_ELEM_DATA, data, s->data_bytes);
	nftnl_set_elem_add(n, el);
	nftnl_set_elems_nlmsg_build_payload(h, n);
	batch_end(b, h);
	nftnl_set_free(n);
}

/* ---- rules -------------------------------------------------------------------------------- */

/*
 * Registers: four of 16 bytes (NFT_REG_1...) are also sixteen of 4 (NFT_REG32_00...), and a
 * concatenation lies in consecutive ones.
 */
static struct nftnl_expr *expr(struct nftnl_rule *r, const char *name)
{
	struct nftnl_expr *x = nftnl_expr_alloc(name);

	nftnl_rule_add_expr(r, x);
	return x;
}

static void meta(struct nftnl_rule *r, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *x = expr(r, "meta");

	nftnl_expr_set_u32(x, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(x, NFTNL_EXPR_META_DREG, reg);
}

static void compare(struct nftnl_rule *r, uint32_t op, const void *p, uint32_t n)
{
	struct nftnl_expr *x = expr(r, "cmp");

	nftnl_expr_set_u32(x, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(x, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set(x, NFTNL_EXPR_CMP_DATA, p, n);
}

static void is_family(struct nftnl_rule *r, uint8_t family)
{
	meta(r, NFT_META_NFPROTO, NFT_REG_1);
	compare(r, NFT_CMP_EQ, &family, sizeof(family));
}

static void payload(struct nftnl_rule *r, uint32_t base, uint32_t offset, uint32_t n,
		    uint32_t reg)
{
	struct nftnl_expr *x = expr(r, "payload");

	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_LEN, n);
	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_DREG, reg);
}

/* In the set, by what is in the registers from the first on; map: the data comes there. */
static void lookup(struct nftnl_rule *r, unsigned set)
{
	struct nftnl_expr *x = expr(r, "lookup");

	nftnl_expr_set_u32(x, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_str(x, NFTNL_EXPR_LOOKUP_SET, sets[set].name);
	nftnl_expr_set_u32(x, NFTNL_EXPR_LOOKUP_SET_ID, set);
	if (sets[set].data_bytes)
		nftnl_expr_set_u32(x, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_1);
}

static void in_set(struct nftnl_rule *r, uint32_t meta_key, unsigned set)
{
	meta(r, meta_key, NFT_REG_1);
	lookup(r, set);
}

static void same_bridge(struct nftnl_rule *r)
{
	meta(r, NFT_META_IIFNAME, NFT_REG_1);
	meta(r, NFT_META_OIFNAME, NFT_REG_2);
	lookup(r, SET_SAME);
}

/* Any of these bits of the connection's state or status. */
static void tracked(struct nftnl_rule *r, uint32_t key, uint32_t bits)
{
	static const uint32_t zero;
	struct nftnl_expr *x = expr(r, "ct");

	nftnl_expr_set_u32(x, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(x, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	x = expr(r, "bitwise");
	nftnl_expr_set_u32(x, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(x, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(x, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	nftnl_expr_set_u32(x, NFTNL_EXPR_BITWISE_LEN, sizeof(bits));
	nftnl_expr_set(x, NFTNL_EXPR_BITWISE_MASK, &bits, sizeof(bits));
	nftnl_expr_set(x, NFTNL_EXPR_BITWISE_XOR, &zero, sizeof(zero));
	compare(r, NFT_CMP_NEQ, &zero, sizeof(zero));
}

static void verdict(struct nftnl_rule *r, uint32_t v, const char *chain)
{
	struct nftnl_expr *x = expr(r, "immediate");

	nftnl_expr_set_u32(x, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(x, NFTNL_EXPR_IMM_VERDICT, v);
	if (chain)
		nftnl_expr_set_str(x, NFTNL_EXPR_IMM_CHAIN, chain);
}

static struct nftnl_rule *rule(const char *chain)
{
	struct nftnl_rule *r = nftnl_rule_alloc();

	nftnl_rule_set_str(r, NFTNL_RULE_TABLE, TABLE);
	nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, chain);
	return r;
}

static void add_rule(struct batch *b, struct nftnl_rule *r)
{
	struct nlmsghdr *h = batch_message(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, 4096);

	nftnl_rule_nlmsg_build_payload(h, r);
	batch_end(b, h);
	nftnl_rule_free(r);
}

/* 12 and 16: source and destination in an IPv4 header (RFC 791, 3.1). */
static void loopback4(struct nftnl_rule *r, uint32_t offset)
{
	static const uint8_t net = 127;

	is_family(r, NFPROTO_IPV4);
	payload(r, NFT_PAYLOAD_NETWORK_HEADER, offset, 1, NFT_REG_1);
	compare(r, NFT_CMP_EQ, &net, 1);
}

static void rules_raw(struct batch *b)
{
	static const uint32_t offsets[] = { 16, 12 };

	for (size_t i = 0; i < ARRAY_LEN(offsets); i++) {
		struct nftnl_rule *r = rule("raw");
		in_set(r, NFT_META_IIFNAME, SET_BRIDGES);
		loopback4(r, offsets[i]);
		verdict(r, NF_DROP, NULL);
		add_rule(b, r);
	}
}

/* What passes the interfaces of set (key: in or out) is accepted or dropped. */
static void rule_on_set(struct batch *b, const char *chain, uint32_t key, unsigned set,
			uint32_t what)
{
	struct nftnl_rule *r = rule(chain);

	in_set(r, key, set);
	verdict(r, what, NULL);
	add_rule(b, r);
}

/*
 * Through a published port back onto the bridge it came from.  The answer would go straight
 * to the neighbour, from an address that it never asked, so its source becomes ours.  Where
 * it came from is not known in postrouting when br_netfilter is on; the mark carries it there.
 */
static void rule_hairpin(struct batch *b)
{
	static const uint32_t mark = HAIRPIN;
	struct nftnl_rule *r = rule("forward");

	same_bridge(r);
	tracked(r, NFT_CT_STATUS, IPS_DST_NAT);
	struct nftnl_expr *x = expr(r, "immediate");
	nftnl_expr_set_u32(x, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
	nftnl_expr_set(x, NFTNL_EXPR_IMM_DATA, &mark, sizeof(mark));
	x = expr(r, "meta");
	nftnl_expr_set_u32(x, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	nftnl_expr_set_u32(x, NFTNL_EXPR_META_SREG, NFT_REG_1);
	add_rule(b, r);
}

static void rules_forward(struct batch *b)
{
	struct nftnl_rule *r;

	rule_hairpin(b);
	r = rule("forward");
	same_bridge(r);
	verdict(r, NF_ACCEPT, NULL);
	add_rule(b, r);

	rule_on_set(b, "forward", NFT_META_IIFNAME, SET_INTERNAL, NF_DROP);
	rule_on_set(b, "forward", NFT_META_OIFNAME, SET_INTERNAL, NF_DROP);

	/* Bits of NF_CT_STATE_BIT(): 2 established, 4 related. */
	r = rule("forward");
	in_set(r, NFT_META_OIFNAME, SET_BRIDGES);
	tracked(r, NFT_CT_STATE, 2 | 4);
	verdict(r, NF_ACCEPT, NULL);
	add_rule(b, r);

	r = rule("forward");
	in_set(r, NFT_META_OIFNAME, SET_BRIDGES);
	tracked(r, NFT_CT_STATUS, IPS_DST_NAT);
	verdict(r, NF_ACCEPT, NULL);
	add_rule(b, r);

	rule_on_set(b, "forward", NFT_META_OIFNAME, SET_BRIDGES, NF_DROP);
}

/* set is looked up by protocol, maybe the destination address, and the port. */
static void rule_publish(struct batch *b, unsigned set, bool v4, bool by_address)
{
	struct nftnl_rule *r = rule("publish");
	uint32_t next = NFT_REG32_01;

	is_family(r, v4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
	meta(r, NFT_META_L4PROTO, NFT_REG32_00);
	if (by_address) {
		/* RFC 8200, 3: the destination is at 24. */
		payload(r, NFT_PAYLOAD_NETWORK_HEADER, v4 ? 16 : 24, v4 ? 4 : 16, next);
		next += v4 ? 1 : 4;
	}
	payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, next);
	lookup(r, set);
	struct nftnl_expr *x = expr(r, "nat");
	uint32_t port = v4 ? NFT_REG32_01 : NFT_REG32_04;
	nftnl_expr_set_u32(x, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
	nftnl_expr_set_u32(x, NFTNL_EXPR_NAT_FAMILY, v4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
	nftnl_expr_set_u32(x, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
	nftnl_expr_set_u32(x, NFTNL_EXPR_NAT_REG_PROTO_MIN, port);
	add_rule(b, r);
}

static void rules_publish(struct batch *b)
{
	static const char *const from[] = { "prerouting", "output" };
	static const uint8_t one[16] = { [15] = 1 };
	uint32_t local = RTN_LOCAL;

	/* IPv6 has no route_localnet: what is sent to ::1 cannot leave.  Refused at once, it
	 * makes clients of "localhost" try 127.0.0.1. */
	struct nftnl_rule *own = rule("output");
	is_family(own, NFPROTO_IPV6);
	payload(own, NFT_PAYLOAD_NETWORK_HEADER, 24, 16, NFT_REG_1);
	compare(own, NFT_CMP_EQ, one, sizeof(one));
	verdict(own, NF_ACCEPT, NULL);
	add_rule(b, own);

	rule_publish(b, SET_PORTS4, true, true);
	rule_publish(b, SET_ANY4, true, false);
	rule_publish(b, SET_PORTS6, false, true);
	rule_publish(b, SET_ANY6, false, false);
	for (size_t i = 0; i < ARRAY_LEN(from); i++) {
		struct nftnl_rule *r = rule(from[i]);
		struct nftnl_expr *x = expr(r, "fib");
		nftnl_expr_set_u32(x, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
		nftnl_expr_set_u32(x, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
		nftnl_expr_set_u32(x, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR);
		compare(r, NFT_CMP_EQ, &local, sizeof(local));
		verdict(r, (uint32_t)NFT_JUMP, "publish");
		add_rule(b, r);
	}
}

static void masquerade(struct batch *b, struct nftnl_rule *r)
{
	(void)expr(r, "masq");
	add_rule(b, r);
}

static void rules_postrouting(struct batch *b)
{
	static const uint32_t mark = HAIRPIN;
	struct nftnl_rule *r = rule("postrouting");

	in_set(r, NFT_META_OIFNAME, SET_BRIDGES);
	loopback4(r, 12);
	masquerade(b, r);

	r = rule("postrouting");
	in_set(r, NFT_META_OIFNAME, SET_BRIDGES);
	meta(r, NFT_META_MARK, NFT_REG_1);
	compare(r, NFT_CMP_EQ, &mark, sizeof(mark));
	masquerade(b, r);

	rule_on_set(b, "postrouting", NFT_META_OIFNAME, SET_BRIDGES, NF_ACCEPT);

	r = rule("postrouting");
	in_set(r, NFT_META_IIFNAME, SET_BRIDGES);
	masquerade(b, r);
}

/* ---- what is asked for ------------------------------------------------------------------- */

void ruleset_delete(struct batch *b)
{
	/* First made, so that it is no error when it is not there. */
	add_table(b, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	add_table(b, NFT_MSG_DELTABLE, 0);
}

void ruleset_replace(struct batch *b)
{
	ruleset_delete(b);
	add_table(b, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	for (size_t i = 0; i < ARRAY_LEN(chains); i++)
		add_chain(b, &chains[i]);
	for (uint32_t i = 0; i < ARRAY_LEN(sets); i++)
		add_set(b, &sets[i], i);
	rules_raw(b);
	rules_forward(b);
	rules_publish(b);
	rules_postrouting(b);
}

void ruleset_network(struct batch *b, const char *device, bool internal, bool add)
{
	char key[2 * IFNAMSIZ] = "";

	(void)snprintf(key, IFNAMSIZ, "%s", device);
	(void)snprintf(key + IFNAMSIZ, IFNAMSIZ, "%s", device);
	element(b, SET_BRIDGES, key, NULL, add);
	element(b, SET_SAME, key, NULL, add);
	if (internal)
		element(b, SET_INTERNAL, key, NULL, add);
}

int ruleset_port(struct batch *b, const char *protocol, const char *host_ip, unsigned host_port,
	       const char *ip, unsigned port, bool add, struct err *e)
{
	uint8_t key[24] = { 0 }, data[20] = { 0 }, any[16] = { 0 }, host[16] = { 0 };
	bool v4 = strchr(ip, ':') == NULL;
	size_t n = v4 ? 4 : 16, at = 4;
	uint16_t from = htons((uint16_t)host_port), to = htons((uint16_t)port);

	if (inet_pton(v4 ? AF_INET : AF_INET6, host_ip, host) != 1 ||
	    inet_pton(v4 ? AF_INET : AF_INET6, ip, data) != 1)
		return err_set(e, EINVAL, "\"%s\" and \"%s\" are not two addresses of a family",
			       host_ip, ip);
	key[0] = strcmp(protocol, "udp") == 0 ? IPPROTO_UDP : IPPROTO_TCP;
	bool by_address = memcmp(host, any, n) != 0;
	if (by_address) {
		memcpy(key + at, host, n);
		at += n;
	}
	memcpy(key + at, &from, sizeof(from));
	memcpy(data + n, &to, sizeof(to));
	unsigned set = v4 ? (by_address ? SET_PORTS4 : SET_ANY4) :
			    (by_address ? SET_PORTS6 : SET_ANY6);
	element(b, set, key, data, add);
	return 0;
}
