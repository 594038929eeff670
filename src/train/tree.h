/* The order in which the parts of a batch are added up: a binary tree over their numbers, the same
 * whatever threads and processes do the work, so that they do not change the result.
 *
 * Node (first, span), where span is a power of two that divides first, is the sum of the parts from
 * `first` on, `span` of them or as many as there are: node (first, span / 2) plus node (first +
 * span / 2, span / 2), if the batch has parts there. Processes have a stretch of parts each, and
 * send the largest nodes in it to each other: its blocks. */
#ifndef SLBSR_TRAIN_TREE_H
#define SLBSR_TRAIN_TREE_H

/* The first part of process `rank` of `size`; that of `size` is the end. */
static inline int slb_tree_share(int parts, int rank, int size)
{
    return (int)((long)parts * rank / size);
}

/* The span of the block that begins with part `first` in a stretch that ends before `to`: the
 * largest node that begins there, by its smallest span. The next block begins `span` further on. */
static inline int slb_tree_block(int parts, int first, int to)
{
    int span = 1;
    while (first % (2 * span) == 0 && first + span < parts &&
           (first + 2 * span <= to || to == parts))
        span *= 2;
    return span;
}

#endif
