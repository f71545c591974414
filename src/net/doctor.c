/* net/doctor.c - what networks need of the host, point by point.  See net.h */
#include "net/rules.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "net/net.h"
#include "sys/nlreq.h"

static void point(json_t *list, const char *name, bool ok, const char *text, const char *fix)
{
	(void)json_array_append_new(list, json_pack("{s:s, s:b, s:s, s:s}", "name", name, "ok", ok,
						    "text", text, "fix", ok ? "" : fix));
}

static bool in_path(const char *program)
{
	static const char *const folders[] = {
		"/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin",
	};

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		CLEANUP_FREE char *path = xasprintf("%s/%s", folders[i], program);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* Chains of others that drop what is forwarded, unless some rule of theirs takes it. */
struct policies {
	char text[256];
};

static int policy_one(const struct nlmsghdr *h, void *arg)
{
	struct policies *p = arg;
	const struct nfgenmsg *m = NLMSG_DATA(h);
	const char *attrs = (const char *)m + NLMSG_ALIGN(sizeof(*m));
	size_t n_hook, n, left = h->nlmsg_len - NLMSG_SPACE(sizeof(*m));
	uint32_t hook, policy;

	if (h->nlmsg_type != ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWCHAIN))
		return 0;
	const char *table = nlreq_find(attrs, left, NFTA_CHAIN_TABLE, &n);
	const char *chain = nlreq_find(attrs, left, NFTA_CHAIN_NAME, &n);
	const void *in = nlreq_find(attrs, left, NFTA_CHAIN_HOOK, &n_hook);
	const void *v = in ? nlreq_find(in, n_hook, NFTA_HOOK_HOOKNUM, &n) : NULL;
	if (!v || !table || !chain || n != sizeof(hook))
		return 0;
	memcpy(&hook, v, sizeof(hook));
	v = nlreq_find(attrs, left, NFTA_CHAIN_POLICY, &n);
	if (!v || n != sizeof(policy))
		return 0;
	memcpy(&policy, v, sizeof(policy));
	/* NF_INET_FORWARD is 2, NF_DROP 0; arp and bridge tables have other hooks. */
	if (be32toh(hook) != 2 || be32toh(policy) != 0 ||
	    (m->nfgen_family != NFPROTO_IPV4 && m->nfgen_family != NFPROTO_IPV6 &&
	     m->nfgen_family != NFPROTO_INET))
		return 0;
	if (!p->text[0])
		(void)snprintf(p->text, sizeof(p->text), "chain %s of table %s drops what is "
			       "forwarded", chain, table);
	return 0;
}

static void forward_point(json_t *list)
{
	struct nfgenmsg m = { .nfgen_family = NFPROTO_UNSPEC };
	CLEANUP_FREE struct nlreq *q = xmalloc(sizeof(*q));
	CLEANUP_FD int sock = nlreq_open(NETLINK_NETFILTER, -1);
	struct policies p = { .text = "" };

	if (sock < 0)
		return;
	nlreq_init(q);
	nlreq_message(q, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETCHAIN, NLM_F_DUMP, &m,
		      sizeof(m));
	if (nlreq_get(sock, q, policy_one, &p) < 0)
		return;
	/* Another table's drop is final, whatever ours accepts. */
	point(list, "forwarding firewall", !p.text[0],
	      p.text[0] ? p.text : "no other table drops what is forwarded",
	      "let the bridges through, for instance: iptables -I FORWARD -i isle+ -j ACCEPT; "
	      "iptables -I FORWARD -o isle+ -j ACCEPT");
}

int net_doctor(const struct net *n, json_t **ret, struct err *e)
{
	json_t *list = json_array();

	(void)e;
	if (n->rootless) {
		bool there = in_path("pasta");
		point(list, "pasta", there, there ? "pasta is installed" : "pasta is missing",
		      "apt-get install passt");
		bool usable = access("/dev/net/tun", R_OK | W_OK) == 0;
		bool closed = !usable && errno == EACCES;
		point(list, "tun", usable, usable ? "/dev/net/tun" : closed ?
		      "/dev/net/tun is closed to this user" : "/dev/net/tun is missing",
		      closed ? "chmod 0666 /dev/net/tun, as root" : "modprobe tun, as root");
		*ret = list;
		return 0;
	}
	struct err why = { 0 };
	bool rules = rules_there(&why) >= 0;
	point(list, "nftables", rules, rules ? "the kernel has nf_tables" : why.msg,
	      "modprobe nf_tables");
	bool helper = access(n->nft_helper, X_OK) == 0;
	point(list, "isle-nft", helper, n->nft_helper, "make install");
	if (rules)
		forward_point(list);
	*ret = list;
	return 0;
}
