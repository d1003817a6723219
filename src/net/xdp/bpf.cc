// See bpf.h.
#include "net/xdp/bpf.h"

#include <fmt/format.h>
#include <linux/if_link.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace rocelab::net::xdp {

namespace {

constexpr std::size_t kLogBytes = 64 << 10;

int call(bpf_cmd command, bpf_attr& attributes) {
  return static_cast<int>(syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

std::uint64_t pointer(const void* to) { return reinterpret_cast<std::uintptr_t>(to); }

void set_name(char (&to)[BPF_OBJ_NAME_LEN], std::string_view name) { std::copy(name.begin(), name.end(), to); }

base::TextResult<Descriptor> checked(int fd, const char* what) {
  if (fd >= 0) return Descriptor(fd);
  const char* const hint = errno == EPERM ? " (it takes CAP_BPF and CAP_NET_ADMIN in the initial user namespace)" : "";
  return base::fail_text(fmt::format("{}: {}{}", what, std::strerror(errno), hint));
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

base::TextResult<Descriptor> make_socket_map(std::uint32_t entries) {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_XSKMAP;
  attributes.key_size = sizeof(std::uint32_t);
  attributes.value_size = sizeof(int);
  attributes.max_entries = entries;
  set_name(attributes.map_name, "rocelab_xsk");
  return checked(call(BPF_MAP_CREATE, attributes), "the kernel makes no map for XDP");
}

base::TextResult<void> put_socket(int map, std::uint32_t key, int socket) {
  bpf_attr attributes{};
  attributes.map_fd = static_cast<std::uint32_t>(map);
  attributes.key = pointer(&key);
  attributes.value = pointer(&socket);
  if (call(BPF_MAP_UPDATE_ELEM, attributes) == 0) return {};
  return base::fail_text(fmt::format("the socket does not go into XDP's map: {}", std::strerror(errno)));
}

base::TextResult<Descriptor> load_xdp_program(std::span<const bpf_insn> program) {
  static constexpr char kLicence[] = "Apache-2.0";
  std::vector<char> log(kLogBytes);
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_XDP;
  attributes.insns = pointer(program.data());
  attributes.insn_cnt = static_cast<std::uint32_t>(program.size());
  attributes.license = pointer(kLicence);
  attributes.log_buf = pointer(log.data());
  attributes.log_size = kLogBytes;
  attributes.log_level = 1;
  set_name(attributes.prog_name, "rocelab_xdp");
  auto loaded = checked(call(BPF_PROG_LOAD, attributes), "the kernel does not load our XDP program");
  if (loaded) return loaded;
  std::string said(log.data());
  while (!said.empty() && said.back() == '\n') said.pop_back();
  if (said.empty()) return loaded;
  return base::fail_text(loaded.error() + ": " + said.substr(said.rfind('\n') + 1));
}

base::TextResult<Descriptor> attach_xdp(int program, unsigned interface_index) {
  int fd = -1;
  for (const std::uint32_t mode : {XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE}) {
    bpf_attr attributes{};
    attributes.link_create.prog_fd = static_cast<std::uint32_t>(program);
    attributes.link_create.target_ifindex = interface_index;
    attributes.link_create.attach_type = BPF_XDP;
    attributes.link_create.flags = mode;
    fd = call(BPF_LINK_CREATE, attributes);
    if (fd >= 0 || errno == EBUSY || errno == EPERM) break;
  }
  if (fd < 0 && errno == EBUSY) {
    return base::fail_text("another XDP program is attached to the interface (another process of rocelab's, say)");
  }
  return checked(fd, "the interface takes no XDP program");
}

}  // namespace rocelab::net::xdp
