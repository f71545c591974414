#pragma once
/*
 * net/link.h - bridges and veth pairs by rtnetlink.  Layer: net.
 *
 *   instance's namespace            host
 *   eth0 172.29.0.2/16  <--veth-->  ivXXXXXXXX --port of--> isle0 172.29.0.1/16
 *   default via 172.29.0.1                                  routes and NAT to the world
 *
 * Devices are made complete in as few messages as the kernel allows: a veth is born up,
 * with its peer already in the other namespace, as a port of its bridge.
 */
#include "net/table.h"

/* Each route of the main table: 0, or < 0 is kept as the result. */
MUST_CHECK int link_routes(int family,
			   int (*each)(const struct subnet *to, const char *device, void *arg),
			   void *arg, struct err *e);
bool link_has_ipv6(void);

/* The index of the bridge; 0 where there is no such device; -EEXIST when it is not a bridge. */
MUST_CHECK int link_bridge_find(int sock, const char *device, struct err *e);
/* Make it, up and with the gateways' addresses; forwarding is switched on.  Its index. */
MUST_CHECK int link_bridge_make(int sock, const struct network *net, struct err *e);
/* How many ports it has. */
MUST_CHECK int link_bridge_ports(int sock, int index, struct err *e);
/* Gone is fine. */
MUST_CHECK int link_remove(int sock, const char *device, struct err *e);

/*
 * A veth: ep->link here, port of bridge, ep->ifname in the namespace nsfd, where in_sock
 * is a socket.  gateway: it gets the default routes.  Already there: nothing is done.
 */
MUST_CHECK int link_veth_make(int sock, int bridge, int nsfd, int in_sock,
			      const struct endpoint *ep, bool gateway, struct err *e);
/* Set lo of the namespace up. */
MUST_CHECK int link_loopback_up(int in_sock, struct err *e);
