/* Memory between two pages that may not be touched. */
#ifndef TESTS_GUARDED_H
#define TESTS_GUARDED_H

#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct Guarded {
    unsigned char *pages; /* with the two */
    size_t bytes, length; /* asked for, rounded up to pages */
} Guarded;

static inline size_t guarded_page(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Room for `bytes`, zeroed. */
static inline Guarded guarded_room(size_t bytes)
{
    size_t page = guarded_page();
    Guarded g = {.bytes = bytes, .length = (bytes + page - 1) / page * page};
    g.pages =
        mmap(NULL, g.length + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(g.pages != MAP_FAILED);
    assert_int_equal(mprotect(g.pages, page, PROT_NONE), 0);
    assert_int_equal(mprotect(g.pages + page + g.length, page, PROT_NONE), 0);
    return g;
}

/* Its bytes, right behind the first page or right before the last one. */
static inline void *guarded_at(const Guarded *g, int at_end)
{
    return g->pages + guarded_page() + (at_end ? g->length - g->bytes : 0);
}

static inline void guarded_free(Guarded *g)
{
    munmap(g->pages, g->length + 2 * guarded_page());
}

#endif
