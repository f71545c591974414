/* engine/names.c - see names.h */
#include "engine/names.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"

#define NAME_BYTES_MAX 255      /* a file's name, where one is made of it */

/* The sea around an isle, and what is found there. */
static const char *const adjectives[] = {
	"amber", "autumn", "blue", "bold", "brave", "bright", "brisk", "broad", "calm", "clear",
	"clever", "coastal", "copper", "coral", "curious", "dawning", "deep", "distant", "drifting",
	"early", "eastern", "eager", "fair", "far", "fearless", "floating", "foggy", "fresh",
	"gentle", "gleaming", "golden", "grand", "green", "grey", "happy", "hardy", "hidden",
	"high", "humble", "jolly", "keen", "kind", "lively", "lone", "lucky", "lunar", "mellow",
	"merry", "mild", "misty", "modest", "morning", "mossy", "neat", "nimble", "noble",
	"northern", "open", "patient", "peaceful", "pearly", "plucky", "polar", "proud", "quick",
	"quiet", "rapid", "restful", "rocky", "rolling", "rosy", "round", "royal", "rugged",
	"salty", "sandy", "serene", "shining", "shy", "silent", "silver", "sleepy", "smooth",
	"snowy", "solar", "southern", "spry", "stable", "starry", "steady", "still", "stormy",
	"sunny", "swift", "tidal", "tranquil", "twilit", "vast", "velvet", "vivid", "warm",
	"wandering", "western", "wild", "windy", "wise", "witty", "zesty",
};

static const char *const nouns[] = {
	"albatross", "anchor", "archipelago", "atoll", "auk", "bay", "beach", "beacon", "bell",
	"boat", "breaker", "breeze", "bridge", "brig", "buoy", "cape", "cliff", "coast", "compass",
	"cormorant", "cove", "crab", "creek", "current", "cutter", "deck", "delta", "dinghy",
	"dolphin", "dune", "eddy", "estuary", "ferry", "fjord", "foam", "frigate", "gale", "galley",
	"gannet", "gull", "gulf", "harbour", "haven", "headland", "helm", "heron", "hull", "inlet",
	"island", "islet", "jetty", "kayak", "keel", "kelp", "ketch", "knot", "lagoon", "lantern",
	"ledge", "lighthouse", "lobster", "lugger", "mackerel", "marina", "mast", "moor", "narwhal",
	"oar", "ocean", "otter", "oyster", "pebble", "pelican", "petrel", "pier", "plover", "port",
	"puffin", "quay", "raft", "reef", "ridge", "rudder", "sail", "sandbar", "schooner", "seal",
	"shallows", "shell", "shoal", "shore", "skerry", "skiff", "sloop", "sound", "spray",
	"starfish", "strait", "surf", "swell", "tern", "tide", "trawler", "urchin", "wave", "wharf",
	"whale", "yawl",
};

static int random_bytes(void *p, size_t n, struct err *e)
{
	/* Up to 256 bytes come whole (getrandom(2)). */
	if (getrandom(p, n, 0) != (ssize_t)n)
		return err_sys(e, errno ? errno : EIO, "random numbers");
	return 0;
}

int name_make_id(char ret[ID_HEX + 1], struct err *e)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t raw[ID_HEX / 2];

	do {
		int r = random_bytes(raw, sizeof(raw), e);
		if (r < 0)
			return r;
		for (size_t i = 0; i < sizeof(raw); i++) {
			ret[2 * i] = digits[raw[i] >> 4];
			ret[2 * i + 1] = digits[raw[i] & 15];
		}
		ret[ID_HEX] = 0;
	} while (strspn(ret, "0123456789") >= 12);
	return 0;
}

int name_make(unsigned tries, struct arena *a, const char **ret, struct err *e)
{
	uint16_t raw[3];

	int r = random_bytes(raw, sizeof(raw), e);
	if (r < 0)
		return r;
	const char *adjective = adjectives[raw[0] % ARRAY_LEN(adjectives)];
	const char *noun = nouns[raw[1] % ARRAY_LEN(nouns)];

	if (tries == 0)
		*ret = arena_printf(a, "%s_%s", adjective, noun);
	else
		*ret = arena_printf(a, "%s_%s%u", adjective, noun,
				    raw[2] % (tries < 3 ? 10 : 10000));
	return 0;
}

int name_check(const char *name, struct err *e)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789";
	size_t n = strlen(name);

	if (n >= 2 && n <= NAME_BYTES_MAX && strchr(first, name[0])) {
		for (n = 1; name[n] && (strchr(first, name[n]) || strchr("_.-", name[n])); n++)
			;
		if (!name[n])
			return 0;
	}
	return err_set(e, EINVAL, "name \"%.80s\": two or more of [a-zA-Z0-9_.-] were expected, "
		       "beginning with a letter or digit", name);
}
