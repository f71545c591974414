#pragma once
/*
 * base/db_index.h - sqlite's index of a WAL, kept from one command to the next.
 * Layer: base.  Only for base/db.c.
 *
 * Each command of isle is often the only one that has the database open.  The first that
 * opens throws away the index of the WAL (the file "-shm"), as nobody can tell it whether
 * that is whole, and reads all of the WAL, up to 4 MB, to make it anew: 3 ms of every
 * command.  It does not while another process has the file open, which shows in a lock
 * (sqlite.org/walformat.html#locks; "DMS" in sqlite's os_unix.c).  We hold that lock ahead
 * of sqlite, where we can tell that the index is the WAL's:
 *
 *  - it was made since the host was started: a power cut loses what was not synced, in the
 *    index and in the WAL each its own; <path>-boot holds the boot's ID, and the inodes of
 *    both files, so that copies start anew;
 *  - WAL and index name the same salts and the same checksum of the last frame, which
 *    covers all before it, and the WAL has no more of them: neither was put in the other's
 *    place.
 *
 * From there on it is as if one idle process had the database open all the time, a case
 * that sqlite is made for, kills at any point included.  Whatever we cannot tell means the
 * old way.  What is not noticed: a disk that went away and came back while the host was up,
 * in the moment the kernel wrote a page of the index; the error that follows makes it anew.
 */
/*
 * A descriptor that holds the lock, or -1.  It is to be closed after sqlite's own: closing
 * any descriptor of a file gives up this process's POSIX locks on it (fcntl(2)).
 */
int db_index_hold(const char *path);

/* sqlite has just made the index by itself.  That the note cannot be written costs time only. */
void db_index_made(const char *path);

/* What was read with it made no sense: the next command makes it anew. */
void db_index_doubt(const char *path);
