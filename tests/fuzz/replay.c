/*
 * replay DIRECTORY - run each file of a corpus through the fuzz target this is linked
 * with, and print TAP.  So what a fuzzer once found stays tested in every build.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"

#define FILE_BYTES_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int not_hidden(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : CORPUS;
	struct dirent **files;
	int n = scandir(dir, &files, not_hidden, alphasort), failed = 0;

	if (n <= 0) {
		printf("Bail out! no corpus in %s\n", dir);
		return 1;
	}
	setlinebuf(stdout);             /* a crash must leave the plan and the name before */
	printf("1..%d\n", n);
	for (int i = 0; i < n; i++) {
		CLEANUP(buf_release) struct buf b = BUF_INIT(FILE_BYTES_MAX);
		CLEANUP_FREE char *path = xasprintf("%s/%s", dir, files[i]->d_name);
		int r = file_read_at(AT_FDCWD, path, &b);

		if (r == 0)
			LLVMFuzzerTestOneInput((const uint8_t *)b.data, b.len);
		failed |= r < 0;
		printf("%sok %d - %s\n", r < 0 ? "not " : "", i + 1, files[i]->d_name);
		free(files[i]);
	}
	free(files);
	return failed;
}
