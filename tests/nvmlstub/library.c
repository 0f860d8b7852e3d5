/* Two GPUs behind the C interface of NVML, as much of it as the real room calls. GPU 0 is an H100 that
 * can be cut (cut.c), GPU 1 is nearly nothing: what it lacks is answered with "not supported".
 *
 * NVML_STUB_INIT=<code>    nvmlInitWithFlags fails with it
 * NVML_STUB_LOST=<index>   no handle for this GPU: GPU is lost
 * NVML_STUB_ODD=<index>    this GPU's name cannot be read: unknown error
 * NVML_STUB_PART=<index>   this GPU's power limit cannot be read: unknown error
 * NVML_STUB_SICK=<index>   this GPU is hot, slowed down, has memory errors and is to be reset
 * NVML_STUB_BUSY=<index>   a process works on this GPU
 * NVML_STUB_OLD=1          a driver that has only the older form of some functions
 * NVML_STUB_XIDS=<n>       the next n waits find an XID 79 of GPU 1
 * NVML_STUB_CUT=1          the next wait finds that somebody made or removed MIG devices of GPU 1
 * NVML_STUB_DEAF=1         waiting for events fails: GPU is lost
 */
#include "stub.h"

struct gpu gpus[] = {
    {.index = 0, .uuid = "GPU-00000000-0000-0000-0000-000000000000"},
    {.index = 1, .uuid = "GPU-00000000-0000-0000-0000-000000000001"},
};
static int sessions, listening;

typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; } pci_info;
typedef struct { struct gpu *device; unsigned long long type, data; unsigned gi, ci; } event_data;
typedef struct { unsigned pid; unsigned long long memory; unsigned gi, ci; } process_info;
typedef struct { unsigned char cluster[16]; unsigned status, clique, state; } old_fabric_info;
typedef struct { unsigned version; old_fabric_info known; unsigned mask; unsigned char health; } fabric_info;
typedef struct { unsigned field, scope; long long time, latency; unsigned type, status; unsigned long long value; } field_value;

int is(const char *variable, int index)
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

int nvmlDeviceGetHandleByUUID(const char *uuid, struct gpu **out)
{
    int index;
    if (!sessions) return UNINITIALIZED;
    for (index = 0; index < 2; index++)
        if (!strcmp(uuid, gpus[index].uuid)) return nvmlDeviceGetHandleByIndex_v2(index, out);
    return NOT_FOUND;
}

int nvmlDeviceGetPciInfo_v3(struct gpu *gpu, pci_info *out)
{
    memset(out, 0, sizeof *out);
    out->id = 0x233010DE;
    snprintf(out->bus_id, sizeof out->bus_id, "00000000:%s:00.0", gpu->index ? "1B" : "1A");
    return SUCCESS;
}

int nvmlDeviceGetName(struct gpu *gpu, char *out, unsigned size)
{
    if (is("NVML_STUB_ODD", gpu->index)) return UNKNOWN;
    return snprintf(out, size, "NVIDIA H100 80GB HBM3") < 0;
}

int nvmlDeviceGetUUID(struct gpu *gpu, char *out, unsigned size) { return snprintf(out, size, "%s", gpu->uuid) < 0; }
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

/* What GPU 0 has and GPU 1 has not. */
#define ONLY_GPU_0(gpu) do { if ((gpu)->index) return NOT_SUPPORTED; } while (0)

int nvmlDeviceGetVirtualizationMode(struct gpu *gpu, unsigned *out) { *out = 0; return SUCCESS; }
int nvmlDeviceGetModuleId(struct gpu *gpu, unsigned *out) { ONLY_GPU_0(gpu); *out = 3; return SUCCESS; }

int nvmlDeviceGetEnforcedPowerLimit(struct gpu *gpu, unsigned *out)
{
    if (is("NVML_STUB_PART", gpu->index)) return UNKNOWN;
    ONLY_GPU_0(gpu);
    *out = 700000;
    return SUCCESS;
}

int nvmlDeviceGetComputeMode(struct gpu *gpu, unsigned *out) { *out = gpu->compute_mode; return SUCCESS; }

int nvmlDeviceSetComputeMode(struct gpu *gpu, unsigned mode)
{
    if (mode == 1 || (gpu->mig && mode)) return NOT_SUPPORTED;
    gpu->compute_mode = mode;
    return SUCCESS;
}

int nvmlDeviceGetPersistenceMode(struct gpu *gpu, unsigned *out) { *out = !gpu->not_persistent; return SUCCESS; }
int nvmlDeviceSetPersistenceMode(struct gpu *gpu, unsigned mode) { gpu->not_persistent = !mode; return SUCCESS; }

int nvmlDeviceGetTemperature(struct gpu *gpu, unsigned sensor, unsigned *out)
{
    *out = is("NVML_STUB_SICK", gpu->index) ? 91 : 34;
    return sensor ? INVALID_ARGUMENT : SUCCESS;
}

int nvmlDeviceGetTemperatureThreshold(struct gpu *gpu, unsigned kind, unsigned *out)
{
    ONLY_GPU_0(gpu);
    *out = 87;
    return kind == 1 ? SUCCESS : INVALID_ARGUMENT;
}

int nvmlDeviceGetCurrentClocksThrottleReasons(struct gpu *gpu, unsigned long long *out)
{
    *out = is("NVML_STUB_SICK", gpu->index) ? 0x48 : 0x1; /* hardware, for heat; idle */
    return SUCCESS;
}

int nvmlDeviceGetCurrentClocksEventReasons(struct gpu *gpu, unsigned long long *out)
{
    return is("NVML_STUB_OLD", 1) ? NO_SUCH_FUNCTION : nvmlDeviceGetCurrentClocksThrottleReasons(gpu, out);
}

int nvmlDeviceGetFieldValues(struct gpu *gpu, int count, field_value *values)
{
    if (count != 1 || values->field != 230) return INVALID_ARGUMENT;
    values->status = gpu->index ? NOT_SUPPORTED : SUCCESS;
    values->value = is("NVML_STUB_SICK", gpu->index);
    return SUCCESS;
}

int nvmlDeviceGetEccMode(struct gpu *gpu, unsigned *now, unsigned *later) { ONLY_GPU_0(gpu); *now = *later = 1; return SUCCESS; }

int nvmlDeviceGetTotalEccErrors(struct gpu *gpu, unsigned kind, unsigned counter, unsigned long long *out)
{
    *out = kind == 1 && counter == 0 && is("NVML_STUB_SICK", gpu->index) ? 2 : 0;
    return SUCCESS;
}

int nvmlDeviceGetRemappedRows(struct gpu *gpu, unsigned *fixed, unsigned *lost, unsigned *pending, unsigned *failed)
{
    ONLY_GPU_0(gpu);
    *fixed = *failed = 0;
    *lost = *pending = is("NVML_STUB_SICK", gpu->index);
    return SUCCESS;
}

int nvmlDeviceGetRetiredPages(struct gpu *gpu, unsigned cause, unsigned *count, unsigned long long *out)
{
    if (!gpu->index) return NOT_SUPPORTED; /* it remaps rows */
    *count = cause;
    if (out && cause) out[0] = 0x1000;
    return SUCCESS;
}

int nvmlDeviceGetRetiredPagesPendingStatus(struct gpu *gpu, unsigned *out) { *out = 1; return SUCCESS; }

int nvmlDeviceGetNvLinkState(struct gpu *gpu, unsigned link, unsigned *out)
{
    ONLY_GPU_0(gpu);
    if (link >= 18) return INVALID_ARGUMENT;
    *out = link != 5; /* one is down */
    return SUCCESS;
}

int nvmlDeviceGetNvLinkVersion(struct gpu *gpu, unsigned link, unsigned *out) { *out = 6; return SUCCESS; }
int nvmlDeviceGetNvLinkRemoteDeviceType(struct gpu *gpu, unsigned link, unsigned *out) { *out = 2; return SUCCESS; }

int nvmlDeviceGetNvLinkRemotePciInfo_v2(struct gpu *gpu, unsigned link, pci_info *out)
{
    memset(out, 0, sizeof *out);
    snprintf(out->bus_id, sizeof out->bus_id, "00000000:C%u:00.0", 4 + link / 5);
    return SUCCESS;
}

int nvmlDeviceGetGpuFabricInfo(struct gpu *gpu, old_fabric_info *out)
{
    ONLY_GPU_0(gpu);
    memset(out->cluster, 0xab, sizeof out->cluster);
    out->status = SUCCESS;
    out->clique = 32766;
    out->state = 3;
    return SUCCESS;
}

int nvmlDeviceGetGpuFabricInfoV(struct gpu *gpu, fabric_info *out)
{
    if (is("NVML_STUB_OLD", 1)) return OTHER_VERSION;
    if (out->version != 0x3000028) return INVALID_ARGUMENT;
    return nvmlDeviceGetGpuFabricInfo(gpu, &out->known);
}

int nvmlDeviceGetComputeRunningProcesses_v3(struct gpu *gpu, unsigned *count, process_info *out)
{
    unsigned room = *count;
    *count = is("NVML_STUB_BUSY", gpu->index);
    if (!*count) return SUCCESS;
    if (!room) return INSUFFICIENT_SIZE;
    *out = (process_info){.pid = 4711, .memory = 1 << 20, .gi = 0xFFFFFFFF, .ci = 0xFFFFFFFF};
    return SUCCESS;
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(struct gpu *gpu, unsigned *count, process_info *out)
{
    return nvmlDeviceGetComputeRunningProcesses_v3(gpu, count, out);
}

int nvmlEventSetCreate(void **out) { listening++; *out = &listening; return SUCCESS; }
int nvmlEventSetFree(void *set) { listening--; return SUCCESS; }
int nvmlDeviceGetSupportedEventTypes(struct gpu *gpu, unsigned long long *out) { *out = 0x108; return SUCCESS; }

int nvmlDeviceRegisterEvents(struct gpu *gpu, unsigned long long types, void *set)
{
    return types == 0x108 ? SUCCESS : INVALID_ARGUMENT;
}

int nvmlEventSetWait_v2(void *set, event_data *out, unsigned milliseconds)
{
    const char *left = getenv("NVML_STUB_XIDS");
    char less[16];
    if (is("NVML_STUB_DEAF", 1)) return LOST;
    if (is("NVML_STUB_CUT", 1)) {
        setenv("NVML_STUB_CUT", "", 1);
        *out = (event_data){.device = &gpus[1], .type = 0x100, .gi = 0xFFFFFFFF, .ci = 0xFFFFFFFF};
        return SUCCESS;
    }
    if (!left || atoi(left) <= 0) { usleep(milliseconds * 1000); return TIMEOUT; }
    snprintf(less, sizeof less, "%d", atoi(left) - 1);
    setenv("NVML_STUB_XIDS", less, 1);
    *out = (event_data){.device = &gpus[1], .type = 8, .data = 79, .gi = 3, .ci = 0xFFFFFFFF};
    return SUCCESS;
}
