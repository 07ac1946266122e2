/* What a job can be in an image that has nothing else: job env | job exit N | job tell TEXT | job wait */

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
    } else
        return 64;
    return 0;
}
