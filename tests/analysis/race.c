/* A program with a race between threads of OpenMP ("race") and without one ("none"): threads.sh has
 * to be told of the first and not of the second. */
#include <stdio.h>
#include <string.h>

static int shared, results[4];

int main(int argc, char **argv)
{
    int racy = argc > 1 && strcmp(argv[1], "race") == 0;
#pragma omp parallel num_threads(4)
    {
#pragma omp for
        for (int i = 0; i < 4; i++) results[i] = i;
        if (racy) shared += results[0];
#pragma omp barrier
#pragma omp for
        for (int i = 0; i < 4; i++) results[i] += i;
    }
    for (int i = 0; i < 4; i++) shared += results[i];
    printf("%d\n", shared);
    return 0;
}
