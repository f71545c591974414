/* cli/isle/confirm.c - see confirm.h */
#include "cli/isle/confirm.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

int confirm(bool force, const char *what, struct err *e)
{
	char answer[16];

	if (force)
		return 1;
	if (!isatty(STDIN_FILENO))
		return err_set(e, EINVAL, "nobody to ask: standard input is no terminal; use "
			       "--force");
	fprintf(stderr, "%s\nGo on? [y/N] ", what);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}
