/* A made-up libnvidia-ml.so.1, for tests: it stands under the unchanged pynvml and Zeus.

   What it answers is in the file that JOULEBOARD_NVML names, one statement per line (`nvml.py` writes it):

       error QUERY CODE              a query of no GPU (nvmlInitWithFlags, ...) answers this NVML error
       gpu I name TEXT               the next lines are likewise of GPU I
       gpu I uuid TEXT
       gpu I error QUERY CODE        a query of this GPU answers this NVML error
       gpu I mig 0|1                 MIG mode
       gpu I virtualization N        virtualization mode
       gpu I milliwatts N            the power that it draws
       gpu I counter OFFSET SCALE UNTIL STEP_AT STEP MODULO

   The counter, in mJ at t seconds of CLOCK_MONOTONIC, is
   (OFFSET + SCALE * milliwatts * min(t, UNTIL) + (t >= STEP_AT ? STEP : 0)) modulo MODULO;
   0 as UNTIL, STEP_AT or MODULO: never. The file is read at every call, so that a test can change it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST_GPUS 16
#define NAME 96
#define POWER_AVERAGE 185
#define POWER_INSTANT 186

enum { SUCCESS = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7 };

typedef struct {
    char name[NAME], uuid[NAME];
    unsigned mig, virtualization, milliwatts;
    double offset, scale, until, step_at, step, modulo;
} Gpu;

typedef struct { unsigned fieldId, scopeId; long long timestamp, latency; int valueType, nvmlReturn;
                 union { double d; unsigned ui; unsigned long long ull; } value; } FieldValue;
typedef struct { unsigned version; int sensor, temperature; } Temperature;
typedef struct { unsigned long long total, free, used; } Memory;

static _Thread_local Gpu gpus[MOST_GPUS];
static _Thread_local int count;
static _Thread_local int failing; /* the error that the query under way answers */

/* Reads the file; the error of a query, of one GPU or (index -1) of none. */
static int answer(const char *query, int index)
{
    char line[512], word[64], wanted[NAME];
    int gpu, code, begins;
    const char *path = getenv("JOULEBOARD_NVML");
    FILE *file = path ? fopen(path, "r") : NULL;
    count = 0;
    failing = SUCCESS;
    if (!file)
        return failing = 9; /* driver not loaded */
    memset(gpus, 0, sizeof gpus);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (sscanf(line, "error %95s %d", wanted, &code) == 2) {
            if (index < 0 && !strcmp(wanted, query))
                failing = code;
            continue;
        }
        if (sscanf(line, "gpu %d %63s %n", &gpu, word, &begins) < 2 || gpu < 0 || gpu >= MOST_GPUS)
            continue;
        Gpu *it = &gpus[gpu];
        const char *rest = line + begins;
        if (gpu >= count)
            count = gpu + 1;
        if (!strcmp(word, "name"))
            snprintf(it->name, NAME, "%s", rest);
        else if (!strcmp(word, "uuid"))
            snprintf(it->uuid, NAME, "%s", rest);
        else if (!strcmp(word, "mig"))
            it->mig = atoi(rest);
        else if (!strcmp(word, "virtualization"))
            it->virtualization = atoi(rest);
        else if (!strcmp(word, "milliwatts"))
            it->milliwatts = atoi(rest);
        else if (!strcmp(word, "counter"))
            sscanf(rest, "%lf %lf %lf %lf %lf %lf", &it->offset, &it->scale, &it->until, &it->step_at,
                   &it->step, &it->modulo);
        else if (!strcmp(word, "error") && sscanf(rest, "%95s %d", wanted, &code) == 2 && gpu == index
                 && !strcmp(wanted, query))
            failing = code;
    }
    fclose(file);
    if (!failing && index >= count)
        failing = INVALID_ARGUMENT;
    return failing;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

/* A handle is the index plus one. */
static int of(const char *query, void *device) { return answer(query, (int)(long)device - 1); }
static Gpu *gpu_of(void *device) { return &gpus[(long)device - 1]; }

static int text(const char *value, char *out, unsigned length)
{
    if (strlen(value) >= length)
        return INSUFFICIENT_SIZE;
    strcpy(out, value);
    return SUCCESS;
}

#define QUERY(...) if (of(__func__, device)) return failing; __VA_ARGS__; return SUCCESS
#define SYSTEM(...) if (answer(__func__, -1)) return failing; __VA_ARGS__; return SUCCESS

int nvmlInitWithFlags(unsigned flags) { (void)flags; SYSTEM(); }
int nvmlShutdown(void) { return SUCCESS; }
int nvmlSystemGetDriverVersion(char *out, unsigned length) { SYSTEM(return text("570.00", out, length)); }
int nvmlSystemGetCudaDriverVersion_v2(int *out) { SYSTEM(*out = 12080); }
int nvmlDeviceGetCount_v2(unsigned *out) { SYSTEM(*out = count); }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
    if (answer(__func__, (int)index))
        return failing;
    *device = (void *)(long)(index + 1);
    return SUCCESS;
}

int nvmlDeviceGetName(void *device, char *out, unsigned n) { QUERY(return text(gpu_of(device)->name, out, n)); }
int nvmlDeviceGetUUID(void *device, char *out, unsigned n) { QUERY(return text(gpu_of(device)->uuid, out, n)); }
int nvmlDeviceGetVbiosVersion(void *device, char *out, unsigned n) { QUERY(return text("96.00", out, n)); }
int nvmlDeviceGetMemoryInfo(void *device, Memory *out)
{
    QUERY(out->total = 80ull << 30; out->used = 1ull << 30; out->free = out->total - out->used);
}
int nvmlDeviceGetPowerManagementLimit(void *device, unsigned *out) { QUERY(*out = 700000); }
int nvmlDeviceGetArchitecture(void *device, unsigned *out) { QUERY(*out = 9); }
int nvmlDeviceGetMigMode(void *device, unsigned *is, unsigned *will) { QUERY(*is = *will = gpu_of(device)->mig); }
int nvmlDeviceGetVirtualizationMode(void *device, unsigned *out) { QUERY(*out = gpu_of(device)->virtualization); }
int nvmlDeviceGetC2cModeInfoV(void *device, unsigned *out) { QUERY(*out = 0); }
int nvmlDeviceGetClockInfo(void *device, int type, unsigned *out) { QUERY(*out = type == 2 ? 2619 : 1980); }
int nvmlDeviceGetCurrentClocksEventReasons(void *device, unsigned long long *out) { QUERY(*out = 0); }
int nvmlDeviceGetTemperatureV(void *device, Temperature *out) { QUERY(out->temperature = 50); }
int nvmlDeviceGetPowerUsage(void *device, unsigned *out) { QUERY(*out = gpu_of(device)->milliwatts); }

int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *out)
{
    if (of(__func__, device))
        return failing;
    Gpu *it = gpu_of(device);
    double t = now(), counted = it->until && t > it->until ? it->until : t;
    double joules = it->offset + it->scale * it->milliwatts * counted;
    if (it->step_at && t >= it->step_at)
        joules += it->step;
    unsigned long long value = joules < 0 ? 0 : (unsigned long long)joules;
    *out = it->modulo ? value % (unsigned long long)it->modulo : value;
    return SUCCESS;
}

/* The query itself can fail, and each field by itself: nvmlFieldPowerInstant, nvmlFieldPowerAverage. */
int nvmlDeviceGetFieldValues(void *device, int n, FieldValue *values)
{
    if (of(__func__, device))
        return failing;
    for (int i = 0; i < n; i++) {
        const char *field = values[i].fieldId == POWER_INSTANT   ? "nvmlFieldPowerInstant"
                            : values[i].fieldId == POWER_AVERAGE ? "nvmlFieldPowerAverage"
                                                                 : NULL;
        values[i].nvmlReturn = field ? of(field, device) : NOT_SUPPORTED;
        values[i].value.ui = gpu_of(device)->milliwatts;
    }
    return SUCCESS;
}

const char *nvmlErrorString(int code)
{
    switch (code) {
    case 3: return "Not Supported";
    case 4: return "Insufficient Permissions";
    case 9: return "Driver Not Loaded";
    case 10: return "Timeout";
    case 15: return "GPU is lost";
    case 16: return "GPU requires reset";
    case 18: return "Driver/library version mismatch";
    default: return "Unknown Error";
    }
}
