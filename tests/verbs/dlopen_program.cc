// Uses the library as NCCL does: dlopen, dlvsym on its handle, open a device, dlclose, and all of it again.
#include <dlfcn.h>
#include <infiniband/verbs.h>

#include <cstdio>

#undef ibv_get_device_list

namespace {

template <class Function>
Function symbol(void* library, const char* name, const char* version) {
  void* found = dlvsym(library, name, version);
  if (found == nullptr) std::fprintf(stderr, "%s@%s: not found\n", name, version);
  return reinterpret_cast<Function>(found);
}

int use(const char* path) {
  void* library = dlopen(path, RTLD_NOW);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  auto list = symbol<ibv_device** (*)(int*)>(library, "ibv_get_device_list", "IBVERBS_1.1");
  auto free_list = symbol<void (*)(ibv_device**)>(library, "ibv_free_device_list", "IBVERBS_1.1");
  auto open = symbol<ibv_context* (*)(ibv_device*)>(library, "ibv_open_device", "IBVERBS_1.1");
  auto close = symbol<int (*)(ibv_context*)>(library, "ibv_close_device", "IBVERBS_1.1");
  auto reg_mr_iova2 = symbol<void*>(library, "ibv_reg_mr_iova2", "IBVERBS_1.8");
  auto query_ece = symbol<void*>(library, "ibv_query_ece", "IBVERBS_1.10");
  auto reg_dmabuf_mr = symbol<void*>(library, "ibv_reg_dmabuf_mr", "IBVERBS_1.12");
  auto old_list = symbol<ibv_device** (*)(int*)>(library, "ibv_get_device_list", "IBVERBS_1.0");
  if (!list || !free_list || !open || !close || !reg_mr_iova2 || !query_ece || !reg_dmabuf_mr || !old_list) return 2;
  int count = -1;
  ibv_device** devices = list(&count);
  if (devices == nullptr || count < 1) return 3;
  ibv_context* context = open(devices[0]);
  free_list(devices);
  if (context == nullptr || close(context) != 0) return 4;
  if (old_list(&count) != nullptr || count != 0) return 5;  // refuses, and says so on standard error
  return dlclose(library) == 0 ? 0 : 6;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 9;
  for (int round = 0; round < 3; ++round) {
    if (const int status = use(argv[1])) return status;
  }
  return 0;
}
