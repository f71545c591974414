/* Fuzz target: image-spec index, manifest and config. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "oci/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_release) struct arena a = { 0 };
	const char *text = (const char *)data;
	struct image_index index;
	struct image_manifest manifest;
	struct image_config config;
	struct err e = { 0 };

	if (image_index_parse("f", text, size, &a, &index, &e) == 0)
		for (size_t i = 0; i < index.n_manifests; i++)
			assert(image_digest_valid(index.manifests[i].digest));
	if (image_manifest_parse("f", text, size, &a, &manifest, &e) == 0) {
		assert(image_digest_valid(manifest.config.digest));
		for (size_t i = 0; i < manifest.n_layers; i++)
			assert(image_layer_type_valid(manifest.layers[i].media_type));
	}
	if (image_config_parse("f", text, size, &a, &config, &e) == 0) {
		for (size_t i = 0; i < config.diff_ids.n; i++)
			assert(image_digest_valid(config.diff_ids.v[i]));
		assert(!config.volumes.v || !config.volumes.v[config.volumes.n]);
	}
	return 0;
}
