/* What the two halves of the stub share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7,
    TIMEOUT = 10, NO_SUCH_FUNCTION = 13, LOST = 15, RESET_REQUIRED = 16, IN_USE = 19, INSUFFICIENT_RESOURCES = 23,
    OTHER_VERSION = 25, UNKNOWN = 999
};

struct gpu { int index; char uuid[64]; unsigned compute_mode, not_persistent, mig, mig_pending; };

extern struct gpu gpus[];
int is(const char *variable, int index);
