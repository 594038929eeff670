/* Float weights as other programs keep them: the state dict of a PyTorch model in a safetensors
 * file. Weights are OIHW there too; what differs are the names. */
#ifndef SLBSR_NET_FOREIGN_H
#define SLBSR_NET_FOREIGN_H

#include "net/model.h"
#include "net/safetensors.h"

/* What the convolutions of a network are called elsewhere. */
typedef struct SlbNameMap SlbNameMap;

/* Reads a map. At most 4096 lines of two words, `#` begins a comment:
 *
 *   conv03 body.1.conv1   convolution 3 has the weights body.1.conv1.weight and, where there is
 *                         one, the bias body.1.conv1.bias; also body.1.conv1.weight itself
 *   - mean_shift          leave out the tensor of that name and those whose names go on with a dot
 *
 * SLB_E_MODEL, with the line's number. The caller frees *map. */
SLB_MUST_CHECK SlbStatus slb_names_load(const char *path, SlbNameMap **map, SlbError *err);
void slb_names_free(SlbNameMap *map); /* NULL is allowed */

/* Where the parameters of a convolution come from. */
typedef struct SlbForeignMatch {
    char weight[SLB_TENSOR_NAME_BYTES];
    SlbDtype dtype; /* of the weights */
    bool bias;      /* false: there is none, zeros are taken */
} SlbForeignMatch;

/* Reads the file at `path` as a float model of `net`. Convolutions that `map` (may be NULL) does
 * not name take, one after the other, the first tensor of their weights' shape that is left: in
 * the order of the file, or, where they stand there as PyTorch's writer sorts them (by type, then
 * by name), in the order of the names with numbers counted as numbers (body.2 before body.10).
 * Biases go with their weights: "X.bias" with "X.weight". Values of 16 and 64 bits become
 * float32. (*matches)[net->conv_count] says what became of it. SLB_E_MODEL when a convolution finds
 * nothing, when a tensor is left over, or for values that are not finite. The caller frees
 * *model, and *matches with slb_free. */
SLB_MUST_CHECK SlbStatus slb_foreign_load(const char *path, const SlbGraph *net,
                                          const SlbNameMap *map, SlbModel **model,
                                          SlbForeignMatch **matches, SlbError *err);

/* For a network that was trained on (v - mean) * range, v being the values of 0..1 that slbsr gives
 * and takes, as EDSR is on 255 and the mean of its training set: changes its first and last
 * convolutions so that it does the same on v. mean: one number a channel. Exact but for pixels
 * whose receptive field leaves the picture, unless the mean is 0: the zeros beyond its border then
 * stand for black and no longer for the mean.
 *
 * SLB_E_MODEL when the input goes anywhere but into convolutions and a last `add input`, or when
 * the output is not that of a convolution without relu, that sum, or a shuffle of one. */
SLB_MUST_CHECK SlbStatus slb_foreign_rescale(SlbModel *model, double range, const double *mean,
                                             SlbError *err);

/* Writes the float weights that `model` means, low-bit layers too (slb_conv_effective), under the
 * names of `map`, where it has none as "conv03.weight" and "conv03.bias". SLB_E_MODEL when two
 * would have one name, or when the map names a convolution that the network lacks. */
SLB_MUST_CHECK SlbStatus slb_foreign_save(const SlbModel *model, const SlbNameMap *map,
                                          const char *path, bool overwrite, SlbError *err);

#endif
