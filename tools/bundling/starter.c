/* What bin/corepilot and its siblings are in a bundle: becomes the bundle's Python, through the bundle's C library.
 *
 * It is linked statically, starts no other process and allocates nothing but one block, so that it works in an image
 * with nothing in it, and as PID 1. The name that it is called by decides what it starts:
 *
 *   corepilot, containerpilot   the two command lines, isolated from the application's Python
 *   corepilot-python            the bundle's Python in isolated mode
 *   python3                     the same, not isolated: what sys.executable is, for whoever starts another Python
 *
 * Its folder is found by /proc/self/exe, so links anywhere lead to it; without /proc by the path it was executed under.
 *
 * The environment is handed on whole. What the loader, the C library or OpenSSL would act upon is the application's:
 * such variables get a prefix here, and corepilot.system.bundled takes it off for the jobs. What is not a variable (no
 * "=", or nothing before it) is left out.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#ifndef LOADER
#error "LOADER: the file name of the dynamic loader in the folder lib"
#endif

#define PREFIX "COREPILOT_HELD_"
#define MARK "COREPILOT_BUNDLE="
#define MAIN(module) \
    "from corepilot.cli." module " import main; raise SystemExit(main()) # corepilot"

/* Beginnings of the variables that are held back. Both tables are known to corepilot.system.bundled too. */
static const char *const held[] = {
    "LD_", "GLIBC_TUNABLES=", "LOCPATH=", "GCONV_PATH=", "NLSPATH=", "MALLOC_", "OPENSSL_", "LC_ALL=", MARK, PREFIX,
};

/* The C locale needs no files of the image, and is UTF-8 by -X utf8. No OpenSSL modules of the image either. */
static const char *const own[] = {"LC_ALL=C", "OPENSSL_CONF=/dev/null"};

#define COUNT(table) (sizeof(table) / sizeof *(table))
enum { FIXED_WORDS = 16, NOT_EXECUTABLE = 126, NOT_FOUND = 127 };

struct kind {
    const char *name, *isolation, *program;
};

static const struct kind kinds[] = {
    {"corepilot", "-I", MAIN("main")},
    {"containerpilot", "-I", MAIN("containerpilot")},
    {"corepilot-python", "-I", NULL},
    {"python3", NULL, NULL},
};

static const char *base_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static const struct kind *kind_of(const char *path) {
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (!strcmp(base_of(path), kinds[i].name)) return &kinds[i];
    return NULL;
}

static int starts_with(const char *text, const char *beginning) {
    return !strncmp(text, beginning, strlen(beginning));
}

static int is_held(const char *entry) {
    for (size_t i = 0; i < COUNT(held); i++)
        if (starts_with(entry, held[i])) return 1;
    return 0;
}

static int is_variable(const char *entry) { return *entry != '=' && strchr(entry, '='); }

/* The folder's path from that of a program in its bin, if the loader is there: 1. */
static int folder_of(const char *program, char folder[PATH_MAX]) {
    char loader[PATH_MAX + sizeof LOADER + 5];
    size_t length = strlen(program);
    if (*program != '/' || length >= PATH_MAX) return 0;
    memcpy(folder, program, length + 1);
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(folder, '/');
        if (!slash) return 0;
        *slash = 0;
    }
    snprintf(loader, sizeof loader, "%s/lib/" LOADER, folder);
    return access(loader, F_OK) == 0;
}

static int find_folder(const char *executed, char self[PATH_MAX], char folder[PATH_MAX]) {
    ssize_t length = readlink("/proc/self/exe", self, PATH_MAX - 1);
    if (length > 0) {
        self[length] = 0;
        if (folder_of(self, folder)) return 1;
    }
    return executed && realpath(executed, self) && folder_of(self, folder);
}

static int complain(const char *called, const char *what, const char *path, const char *more) {
    dprintf(2, "%s: %s %s%s\n", called, what, path, more);
    return NOT_FOUND;
}

/* The environment for Python: a copy of the list, with a prefix where it is due. */
static char **environment_of(char **given, const char *folder) {
    size_t count = 0, bytes = sizeof MARK + strlen(folder);
    for (char **entry = given; *entry; entry++, count++)
        if (is_held(*entry)) bytes += sizeof PREFIX + strlen(*entry);
    char **made = malloc((count + COUNT(own) + 2) * sizeof *made + bytes);
    if (!made) return NULL;
    char *text = (char *)(made + count + COUNT(own) + 2);
    size_t n = 0;
    for (char **entry = given; *entry; entry++) {
        if (!is_variable(*entry)) continue;
        if (is_held(*entry)) {
            made[n++] = text;
            text += sprintf(text, PREFIX "%s", *entry) + 1;
        } else {
            made[n++] = *entry;
        }
    }
    for (size_t i = 0; i < COUNT(own); i++) made[n++] = (char *)own[i];
    made[n++] = text;
    sprintf(text, MARK "%s", folder);
    made[n] = NULL;
    return made;
}

int main(int argc, char **argv, char **given) {
    static char self[PATH_MAX], folder[PATH_MAX];
    static char loader[PATH_MAX + 64], library[PATH_MAX + 64], python[PATH_MAX + 64], interpreter[PATH_MAX + 64];
    const char *executed = (const char *)getauxval(AT_EXECFN);
    if (!executed || !*executed) executed = argc > 0 ? argv[0] : "corepilot";
    const char *called = base_of(argc > 0 && *argv[0] ? argv[0] : executed);

    if (!find_folder(executed, self, folder))
        return complain(called, "cannot find the rest of its bundle: no lib/" LOADER " beside the bin of", executed,
                        "; copy the whole folder, and make links to its bin");
    if (strpbrk(folder, ":;$"))
        return complain(called, "cannot run from the folder", folder, ": its name must not contain : ; or $");

    const struct kind *kind = kind_of(executed);
    if (!kind || kind == kinds) kind = argc > 0 && kind_of(argv[0]) ? kind_of(argv[0]) : kind;
    if (!kind || kind == kinds) kind = kind_of(self) ? kind_of(self) : kinds;

    snprintf(loader, sizeof loader, "%s/lib/" LOADER, folder);
    snprintf(library, sizeof library, "%s/lib", folder);
    snprintf(python, sizeof python, "%s/bin/python3", folder);
    snprintf(interpreter, sizeof interpreter, "%s/lib/interpreter", folder);

    char **words = malloc((FIXED_WORDS + (size_t)argc) * sizeof *words);
    char **environment = environment_of(given, folder);
    if (!words || !environment) return complain(called, "cannot start", loader, ": no memory");
    size_t n = 0;
    words[n++] = loader;
    words[n++] = "--inhibit-cache";
    words[n++] = "--library-path";
    words[n++] = library;
    words[n++] = "--argv0";
    words[n++] = python;
    words[n++] = interpreter;
    words[n++] = "-X";
    words[n++] = "utf8";
    if (kind->isolation) words[n++] = (char *)kind->isolation;
    if (kind->program) {
        words[n++] = "-c";
        words[n++] = (char *)kind->program;
    }
    for (int i = 1; i < argc; i++) words[n++] = argv[i];
    words[n] = NULL;

    execve(loader, words, environment);
    int reason = errno;
    dprintf(2, "%s: cannot start %s: %s\n", called, loader, strerror(reason));
    return reason == ENOENT ? NOT_FOUND : NOT_EXECUTABLE;
}
