/* Every kernel of every instruction set that this machine can run (kern/check.h). SLBSR_SEED=N
 * takes other numbers; `test_kernels conv_u8 edge` runs these groups alone. */
#include <stdio.h>

#include "kern/check.h"

static const struct {
    const char *name;
    int (*run)(void);
} groups[] = {
    {"conv_u8", check_conv_u8},     {"conv_xnor", check_conv_xnor}, {"conv_f32", check_conv_f32},
    {"conv_bf16", check_conv_bf16}, {"edge", check_edge},           {"tensor", check_tensor},
};
enum { GROUPS = sizeof groups / sizeof *groups };

static int wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0) return 1;
    return argc < 2;
}

int main(int argc, char **argv)
{
    int failed = 0, ran = 0;
    printf("SLBSR_SEED=%llu\n", (unsigned long long)check_seed());
    for (int g = 0; g < GROUPS; g++) {
        if (!wanted(groups[g].name, argc, argv)) continue;
        printf("%s\n", groups[g].name);
        fflush(stdout);
        failed += groups[g].run();
        ran++;
    }
    return failed || !ran ? 1 : 0;
}
