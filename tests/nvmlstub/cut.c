/* GPU 0 of the stub as an H100 that can be cut, with the rules of the driver: an instance begins where its
 * profile may, overlaps no other, and there are no more of it than there may be.
 *
 * NVML_STUB_MIG=<index>     MIG mode is on from the start
 * NVML_STUB_PENDING=1       a new MIG mode waits for a reset
 * NVML_STUB_CI_INFO=<code>  what a compute instance is cannot be read
 */
#include "stub.h"

struct profile { unsigned number, id, slices, most, cores, copies, decoders, ofas, mib, size; const char *name; unsigned starts[8]; };
struct ci { int used; unsigned id, profile; struct gi *parent; struct gpu device; };
struct gi { int used; unsigned id, start; const struct profile *profile; struct ci inside[7]; };

enum { NONE = 99 };
static const struct profile profiles[] = {
    {0, 19, 1, 7, 16, 1, 1, 0, 9984, 1, "MIG 1g.10gb", {0, 1, 2, 3, 4, 5, 6, NONE}},
    {7, 20, 1, 1, 16, 1, 1, 1, 9984, 1, "MIG 1g.10gb+me", {0, 1, 2, 3, 4, 5, 6, NONE}},
    {9, 15, 1, 4, 26, 1, 1, 0, 20096, 2, "MIG 1g.20gb", {0, 2, 4, 6, NONE}},
    {1, 14, 2, 3, 32, 2, 2, 0, 20096, 2, "MIG 2g.20gb", {0, 2, 4, NONE}},
    {2, 9, 3, 2, 60, 3, 3, 0, 40448, 4, "MIG 3g.40gb", {0, 4, NONE}},
    {3, 5, 4, 1, 64, 4, 4, 0, 40448, 4, "MIG 4g.40gb", {0, NONE}},
    {4, 0, 7, 1, 132, 8, 7, 1, 81152, 8, "MIG 7g.80gb", {0, NONE}},
};
enum { PROFILES = sizeof profiles / sizeof *profiles, MOST = 8 };
static const unsigned compute_slices[] = {1, 2, 3, 4, 7};
static struct gi made[MOST];

typedef struct { unsigned start, size; } placement;
typedef struct {
    unsigned id, p2p, slices, most, cores, copies, decoders, encoders, jpegs, ofas;
    unsigned long long mib;
} old_profile_info;
typedef struct {
    unsigned version, id, p2p, slices, most, cores, copies, decoders, encoders, jpegs, ofas;
    unsigned long long mib;
    char name[96];
} profile_info;
typedef struct { unsigned id, slices, most, cores, shared[5]; } compute_profile_info;
typedef struct { struct gpu *device; unsigned id, profile; placement place; } gi_info;
typedef struct { struct gpu *device; struct gi *parent; unsigned id, profile; placement place; } ci_info;

static const struct profile *by_id(unsigned id)
{
    int n;
    for (n = 0; n < PROFILES; n++) if (profiles[n].id == id) return &profiles[n];
    return NULL;
}

static const struct profile *by_number(unsigned number)
{
    int n;
    for (n = 0; n < PROFILES; n++) if (profiles[n].number == number) return &profiles[n];
    return NULL;
}

static int any(void)
{
    int n, count = 0;
    for (n = 0; n < MOST; n++) count += made[n].used;
    return count;
}

static int is_on(struct gpu *gpu) { return gpu->mig || is("NVML_STUB_MIG", gpu->index); }

int nvmlDeviceGetMigMode(struct gpu *gpu, unsigned *now, unsigned *later)
{
    if (gpu->index && !is_on(gpu)) return NOT_SUPPORTED;
    *now = is_on(gpu);
    *later = *now || gpu->mig_pending;
    return SUCCESS;
}

int nvmlDeviceSetMigMode(struct gpu *gpu, unsigned mode, unsigned *activation)
{
    *activation = SUCCESS;
    if (gpu->index) return NOT_SUPPORTED;
    if (is("NVML_STUB_BUSY", gpu->index) || (!mode && any())) return IN_USE;
    if (is("NVML_STUB_PENDING", 1)) { gpu->mig_pending = mode; *activation = RESET_REQUIRED; return SUCCESS; }
    gpu->mig = gpu->mig_pending = mode;
    return SUCCESS;
}

int nvmlDeviceGetGpuInstanceProfileInfo(struct gpu *gpu, unsigned number, old_profile_info *out)
{
    const struct profile *it = by_number(number);
    if (gpu->index || !it) return NOT_SUPPORTED;
    *out = (old_profile_info){
        it->id, 0, it->slices, it->most, it->cores, it->copies, it->decoders, 0, it->decoders, it->ofas, it->mib,
    };
    return SUCCESS;
}

int nvmlDeviceGetGpuInstanceProfileInfoV(struct gpu *gpu, unsigned number, profile_info *out)
{
    const struct profile *it = by_number(number);
    if (is("NVML_STUB_OLD", 1)) return NO_SUCH_FUNCTION;
    if (gpu->index || !it) return NOT_SUPPORTED;
    if (out->version != 0x02000098) return INVALID_ARGUMENT;
    *out = (profile_info){
        out->version, it->id, 0, it->slices, it->most, it->cores, it->copies, it->decoders, 0, it->decoders, it->ofas, it->mib,
    };
    snprintf(out->name, sizeof out->name, "%s", it->name);
    return SUCCESS;
}

int nvmlDeviceGetGpuInstancePossiblePlacements_v2(struct gpu *gpu, unsigned id, placement *out, unsigned *count)
{
    const struct profile *it = by_id(id);
    unsigned n;
    if (gpu->index || !it) return NOT_SUPPORTED;
    for (n = 0; it->starts[n] != NONE; n++) if (out) out[n] = (placement){it->starts[n], it->size};
    *count = n;
    return SUCCESS;
}

static int fits(const struct profile *wanted, unsigned start)
{
    unsigned slices = wanted->slices, same = 1, ofas = wanted->ofas;
    int n;
    for (n = 0; n < MOST; n++) {
        const struct gi *other = &made[n];
        if (!other->used) continue;
        if (start < other->start + other->profile->size && other->start < start + wanted->size) return 0;
        slices += other->profile->slices;
        ofas += other->profile->ofas;
        same += other->profile == wanted;
    }
    return slices <= 7 && ofas <= 1 && same <= wanted->most;
}

int nvmlDeviceCreateGpuInstanceWithPlacement(struct gpu *gpu, unsigned id, const placement *place, struct gi **out)
{
    const struct profile *it = by_id(id);
    int n = 0;
    if (!is_on(gpu) || !it) return NOT_SUPPORTED;
    if (place->size != it->size) return INVALID_ARGUMENT;
    if (!fits(it, place->start)) return INSUFFICIENT_RESOURCES;
    while (made[n].used) n++;
    made[n] = (struct gi){.used = 1, .id = n + 1, .start = place->start, .profile = it};
    *out = &made[n];
    return SUCCESS;
}

int nvmlDeviceGetGpuInstances(struct gpu *gpu, unsigned id, struct gi **out, unsigned *count)
{
    int n;
    *count = 0;
    if (!is_on(gpu)) return NOT_SUPPORTED;
    for (n = 0; n < MOST; n++) if (made[n].used && made[n].profile->id == id) out[(*count)++] = &made[n];
    return SUCCESS;
}

int nvmlDeviceGetGpuInstanceById(struct gpu *gpu, unsigned id, struct gi **out)
{
    int n;
    if (!is_on(gpu)) return NOT_SUPPORTED;
    for (n = 0; n < MOST; n++) if (made[n].used && made[n].id == id) { *out = &made[n]; return SUCCESS; }
    return NOT_FOUND;
}

int nvmlGpuInstanceGetInfo(struct gi *gi, gi_info *out)
{
    *out = (gi_info){&gpus[0], gi->id, gi->profile->id, {gi->start, gi->profile->size}};
    return SUCCESS;
}

int nvmlGpuInstanceDestroy(struct gi *gi)
{
    int n;
    for (n = 0; n < 7; n++) if (gi->inside[n].used) return IN_USE;
    gi->used = 0;
    return SUCCESS;
}

int nvmlGpuInstanceGetComputeInstanceProfileInfo(struct gi *gi, unsigned number, unsigned engines, compute_profile_info *out)
{
    if (engines || number > 4 || compute_slices[number] > gi->profile->slices) return NOT_SUPPORTED;
    *out = (compute_profile_info){
        number, compute_slices[number], gi->profile->slices / compute_slices[number],
        gi->profile->cores * compute_slices[number] / gi->profile->slices,
    };
    return SUCCESS;
}

int nvmlGpuInstanceCreateComputeInstance(struct gi *gi, unsigned profile, struct ci **out)
{
    unsigned used = 0;
    int n, room = -1;
    if (profile > 4 || compute_slices[profile] > gi->profile->slices) return NOT_SUPPORTED;
    for (n = 6; n >= 0; n--) if (gi->inside[n].used) used += compute_slices[gi->inside[n].profile]; else room = n;
    if (used + compute_slices[profile] > gi->profile->slices) return INSUFFICIENT_RESOURCES;
    gi->inside[room] = (struct ci){.used = 1, .id = room, .profile = profile, .parent = gi, .device = {.index = -1}};
    snprintf(gi->inside[room].device.uuid, 64, "MIG-00000000-0000-0000-%04u-%012d", gi->id, room);
    *out = &gi->inside[room];
    return SUCCESS;
}

int nvmlGpuInstanceGetComputeInstances(struct gi *gi, unsigned profile, struct ci **out, unsigned *count)
{
    int n;
    *count = 0;
    for (n = 0; n < 7; n++) if (gi->inside[n].used && gi->inside[n].profile == profile) out[(*count)++] = &gi->inside[n];
    return SUCCESS;
}

int nvmlGpuInstanceGetComputeInstanceById(struct gi *gi, unsigned id, struct ci **out)
{
    if (id > 6 || !gi->inside[id].used) return NOT_FOUND;
    *out = &gi->inside[id];
    return SUCCESS;
}

int nvmlComputeInstanceGetInfo_v2(struct ci *ci, ci_info *out)
{
    const char *code = getenv("NVML_STUB_CI_INFO");
    if (code && *code) return atoi(code);
    *out = (ci_info){&ci->device, ci->parent, ci->id, ci->profile, {0, compute_slices[ci->profile]}};
    return SUCCESS;
}

int nvmlComputeInstanceDestroy(struct ci *ci)
{
    if (is("NVML_STUB_BUSY", 0)) return IN_USE;
    ci->used = 0;
    return SUCCESS;
}
