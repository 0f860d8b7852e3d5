/* Two GPUs behind the C interface of NVML, as much of it as the real room calls.
 *
 * NVML_STUB_INIT=<code>    nvmlInitWithFlags fails with it
 * NVML_STUB_LOST=<index>   no handle for this GPU: GPU is lost
 * NVML_STUB_ODD=<index>    this GPU's name cannot be read: unknown error
 * NVML_STUB_MIG=<index>    MIG mode is on
 * NVML_STUB_XIDS=<n>       the next n waits find an XID 79 of GPU 1
 * NVML_STUB_DEAF=1         waiting for events fails: GPU is lost
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, TIMEOUT = 10, LOST = 15, UNKNOWN = 999 };

struct gpu { int index; };
static struct gpu gpus[] = {{0}, {1}};
static int sessions, listening;

typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; } pci_info;
typedef struct { struct gpu *device; unsigned long long type, data; unsigned gi, ci; } event_data;

static int is(const char *variable, int index)
{
    const char *value = getenv(variable);
    return value && *value && atoi(value) == index;
}

int nvmlInitWithFlags(unsigned flags)
{
    const char *code = getenv("NVML_STUB_INIT");
    if (flags != 1) return INVALID_ARGUMENT; /* no GPUs is no error */
    if (code && *code) return atoi(code);
    sessions++;
    return SUCCESS;
}

int nvmlShutdown(void)
{
    if (!sessions || listening) return UNINITIALIZED;
    sessions--;
    return SUCCESS;
}

int nvmlSystemGetDriverVersion(char *out, unsigned size)
{
    if (!sessions) return UNINITIALIZED;
    return snprintf(out, size, "580.126.20") < 0;
}

int nvmlSystemGetCudaDriverVersion(int *out) { *out = 13000; return SUCCESS; }
int nvmlDeviceGetCount_v2(unsigned *out) { *out = 2; return SUCCESS; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct gpu **out)
{
    if (index > 1) return INVALID_ARGUMENT;
    if (is("NVML_STUB_LOST", index)) return LOST;
    *out = &gpus[index];
    return SUCCESS;
}

int nvmlDeviceGetPciInfo_v3(struct gpu *gpu, pci_info *out)
{
    memset(out, 0, sizeof *out);
    snprintf(out->bus_id, sizeof out->bus_id, "00000000:%s:00.0", gpu->index ? "1B" : "1A");
    return SUCCESS;
}

int nvmlDeviceGetName(struct gpu *gpu, char *out, unsigned size)
{
    if (is("NVML_STUB_ODD", gpu->index)) return UNKNOWN;
    return snprintf(out, size, "NVIDIA H100 80GB HBM3") < 0;
}

int nvmlDeviceGetUUID(struct gpu *gpu, char *out, unsigned size)
{
    return snprintf(out, size, "GPU-00000000-0000-0000-0000-00000000000%d", gpu->index) < 0;
}

int nvmlDeviceGetMinorNumber(struct gpu *gpu, unsigned *out) { *out = gpu->index; return SUCCESS; }
int nvmlDeviceGetBrand(struct gpu *gpu, unsigned *out) { *out = gpu->index ? 77 : 14; return SUCCESS; }
int nvmlDeviceGetArchitecture(struct gpu *gpu, unsigned *out) { *out = 9; return SUCCESS; }
int nvmlDeviceGetCudaComputeCapability(struct gpu *gpu, int *major, int *minor) { *major = 9; *minor = 0; return SUCCESS; }

int nvmlDeviceGetMemoryInfo(struct gpu *gpu, unsigned long long *out)
{
    if (gpu->index) return NOT_SUPPORTED; /* as on GPUs that share the machine's memory */
    out[0] = 85520809984ULL; out[1] = out[0]; out[2] = 0;
    return SUCCESS;
}

int nvmlDeviceGetMigMode(struct gpu *gpu, unsigned *current, unsigned *pending)
{
    *current = *pending = is("NVML_STUB_MIG", gpu->index);
    return SUCCESS;
}

int nvmlEventSetCreate(void **out) { listening++; *out = &listening; return SUCCESS; }
int nvmlEventSetFree(void *set) { listening--; return SUCCESS; }
int nvmlDeviceGetSupportedEventTypes(struct gpu *gpu, unsigned long long *out) { *out = 8; return SUCCESS; }

int nvmlDeviceRegisterEvents(struct gpu *gpu, unsigned long long types, void *set)
{
    return types == 8 ? SUCCESS : INVALID_ARGUMENT;
}

int nvmlEventSetWait_v2(void *set, event_data *out, unsigned milliseconds)
{
    const char *left = getenv("NVML_STUB_XIDS");
    char less[16];
    if (is("NVML_STUB_DEAF", 1)) return LOST;
    if (!left || atoi(left) <= 0) { usleep(milliseconds * 1000); return TIMEOUT; }
    snprintf(less, sizeof less, "%d", atoi(left) - 1);
    setenv("NVML_STUB_XIDS", less, 1);
    memset(out, 0, sizeof *out);
    out->device = &gpus[1]; out->type = 8; out->data = 79;
    return SUCCESS;
}
