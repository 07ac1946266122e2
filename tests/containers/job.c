/* What a job can be in an image that has nothing else:
 *
 *     job env | job exit N | job tell TEXT | job wait | job with NAME=VALUE… -- PROGRAM ARGS…
 */

#define _GNU_SOURCE

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv, char **environment) {
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "env"))
        while (*environment) puts(*environment++);
    else if (!strcmp(what, "tell") && argc > 2)
        puts(argv[2]);
    else if (!strcmp(what, "exit") && argc > 2)
        return atoi(argv[2]);
    else if (!strcmp(what, "wait")) {
        puts("waiting");
        fflush(stdout);
        pause();
    } else if (!strcmp(what, "with")) {
        for (argv += 2; *argv && strcmp(*argv, "--"); argv++) putenv(*argv);
        execvp(argv[1], argv + 1);
        return 127;
    } else
        return 64;
    return 0;
}
