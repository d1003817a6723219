// Memory that is not the application's own: of the device, of DMA buffers; and objects used through another context.
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "tests/support/catch.h"
#include "tests/verbs/lab.h"

using namespace rocelab::verbs_test;

namespace {

constexpr unsigned int kDmAccess = IBV_ACCESS_ZERO_BASED | IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
                                   IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC;

ibv_dm* alloc(Lab& lab, std::size_t length, std::uint32_t log_align = 0, std::uint32_t comp_mask = 0) {
  ibv_alloc_dm_attr attr{length, log_align, comp_mask};
  return ibv_alloc_dm(lab.context(), &attr);
}

ibv_wc_status run(Lab& lab, ibv_wr_opcode opcode, ibv_sge local, std::uint64_t remote, std::uint32_t rkey) {
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  REQUIRE(post(pair.a, rdma_wr(opcode, &local, remote, rkey)) == 0);
  const ibv_wc_status status = lab.wait().status;
  CHECK(ibv_destroy_qp(pair.a) == 0);
  CHECK(ibv_destroy_qp(pair.b) == 0);
  return status;
}

std::uint64_t capacity(Lab& lab) {
  ibv_device_attr_ex attr{};
  REQUIRE(ibv_query_device_ex(lab.context(), nullptr, &attr) == 0);
  REQUIRE(attr.max_dm_size > 0);
  return attr.max_dm_size;
}

}  // namespace

TEST_CASE("device memory: bytes go in and out by copies and by requests", "[verbs][dm]") {
  Lab lab;
  ibv_dm* dm = alloc(lab, 4096, 6);
  REQUIRE(dm != nullptr);
  std::uint8_t in[100], out[100] = {};
  for (std::size_t i = 0; i < sizeof in; ++i) in[i] = static_cast<std::uint8_t>(i + 1);
  REQUIRE(ibv_memcpy_to_dm(dm, 200, in, sizeof in) == 0);
  REQUIRE(ibv_memcpy_from_dm(out, dm, 200, sizeof out) == 0);
  CHECK(std::memcmp(in, out, sizeof in) == 0);

  ibv_mr* mr = ibv_reg_dm_mr(lab.pd(), dm, 100, 1000, kDmAccess);
  REQUIRE(mr != nullptr);
  CHECK(mr->addr == nullptr);
  CHECK(mr->length == 1000);
  Buffer buffer(lab.pd(), 1000);
  CHECK(run(lab, IBV_WR_RDMA_READ, buffer.sge(0, 100), 100, mr->rkey) ==
        IBV_WC_SUCCESS);  // zero-based, from offset 100
  CHECK(std::memcmp(buffer.data(), in, 100) == 0);
  buffer.fill(4);
  CHECK(run(lab, IBV_WR_RDMA_WRITE, buffer.sge(0, 100), 900, mr->rkey) == IBV_WC_SUCCESS);
  REQUIRE(ibv_memcpy_from_dm(out, dm, 1000, sizeof out) == 0);
  CHECK(std::memcmp(out, buffer.data(), 100) == 0);
  CHECK(run(lab, IBV_WR_RDMA_WRITE, {900, 100, mr->lkey}, buffer.addr(500), buffer.rkey()) == IBV_WC_SUCCESS);
  CHECK(std::memcmp(buffer.data() + 500, buffer.data(), 100) == 0);
  CHECK(run(lab, IBV_WR_RDMA_WRITE, buffer.sge(0, 100), 901, mr->rkey) == IBV_WC_REM_ACCESS_ERR);
  CHECK(ibv_rereg_mr(mr, IBV_REREG_MR_CHANGE_ACCESS, nullptr, nullptr, 0, kAccessAll) == IBV_REREG_MR_ERR_INPUT);

  CHECK(ibv_free_dm(dm) == EBUSY);
  CHECK(ibv_dereg_mr(mr) == 0);
  CHECK(ibv_free_dm(dm) == 0);
}

TEST_CASE("device memory: what does not fit is refused, and what is freed can be had again", "[verbs][dm]") {
  Lab lab;
  const std::uint64_t all = capacity(lab);
  CHECK(alloc(lab, all + 1) == nullptr);
  CHECK(errno == ENOMEM);
  CHECK(alloc(lab, 0) == nullptr);
  CHECK(errno == EINVAL);
  CHECK(alloc(lab, 64, 0, 1) == nullptr);
  CHECK(alloc(lab, 64, 20) == nullptr);
  CHECK(alloc(lab, 64, 64) == nullptr);
  for (int round = 0; round < 3; ++round) {
    ibv_dm* most = alloc(lab, all - 64);
    REQUIRE(most != nullptr);
    CHECK(alloc(lab, 65) == nullptr);
    ibv_dm* rest = alloc(lab, 64);
    REQUIRE(rest != nullptr);
    CHECK(ibv_free_dm(rest) == 0);
    CHECK(ibv_free_dm(most) == 0);
  }
  ibv_dm* dm = alloc(lab, 100);
  REQUIRE(dm != nullptr);
  std::uint8_t bytes[128] = {};
  CHECK(ibv_memcpy_to_dm(dm, 1, bytes, 4) != 0);
  CHECK(ibv_memcpy_to_dm(dm, 4, bytes, 3) != 0);
  CHECK(ibv_memcpy_to_dm(dm, 0, bytes, 104) != 0);
  CHECK(ibv_memcpy_from_dm(bytes, dm, 104, 4) != 0);
  CHECK(ibv_memcpy_from_dm(bytes, dm, ~std::uint64_t{3}, 8) != 0);
  CHECK(ibv_memcpy_from_dm(bytes, dm, 100, 0) == 0);
  CHECK(ibv_reg_dm_mr(lab.pd(), dm, 0, 104, kDmAccess) == nullptr);
  CHECK(ibv_reg_dm_mr(lab.pd(), dm, ~std::uint64_t{0}, 8, kDmAccess) == nullptr);
  CHECK(ibv_reg_dm_mr(lab.pd(), dm, 0, 100, IBV_ACCESS_LOCAL_WRITE) == nullptr);  // zero-based is the only way
  CHECK(errno == EINVAL);
  CHECK(ibv_free_dm(dm) == 0);
}

TEST_CASE("device memory: a child of fork() sees the same bytes, and may have its own", "[verbs][dm]") {
  Lab lab;
  ibv_dm* dm = alloc(lab, 64);
  REQUIRE(dm != nullptr);
  const pid_t child = fork();
  if (child == 0) {
    const std::uint32_t word = 0x1234'5678;
    ibv_dm* own = alloc(lab, 64);
    const bool good = ibv_memcpy_to_dm(dm, 8, &word, 4) == 0 && own != nullptr && ibv_free_dm(own) == 0;
    _exit(good ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  std::uint32_t word = 0;
  CHECK(ibv_memcpy_from_dm(&word, dm, 8, 4) == 0);
  CHECK(word == 0x1234'5678);
  CHECK(ibv_free_dm(dm) == 0);
}

TEST_CASE("device memory and its region go with the context that is closed", "[verbs][dm]") {
  Lab lab;
  const std::uint64_t all = capacity(lab);
  ibv_context* other = ibv_open_device(lab.context()->device);
  REQUIRE(other != nullptr);
  ibv_alloc_dm_attr attr{all, 0, 0};
  ibv_dm* dm = ibv_alloc_dm(other, &attr);
  REQUIRE(dm != nullptr);
  ibv_pd* pd = ibv_alloc_pd(other);
  REQUIRE(pd != nullptr);
  REQUIRE(ibv_reg_dm_mr(pd, dm, 0, all, kDmAccess) != nullptr);
  CHECK(alloc(lab, 4) == nullptr);
  CHECK(ibv_close_device(other) == 0);
  dm = alloc(lab, all);
  REQUIRE(dm != nullptr);
  CHECK(ibv_free_dm(dm) == 0);
}

TEST_CASE("objects are used through a context that is imported by its descriptor", "[verbs][import]") {
  Lab lab;
  Buffer buffer(lab.pd(), 256);
  ibv_dm* dm = alloc(lab, 64);
  REQUIRE(dm != nullptr);
  const int copy = dup(lab.context()->cmd_fd);
  REQUIRE(copy >= 0);
  ibv_context* imported = ibv_import_device(copy);
  REQUIRE(imported != nullptr);
  CHECK(imported->device == lab.context()->device);

  CHECK(ibv_import_pd(imported, 0xffff'fff0) == nullptr);
  CHECK(errno == ENOENT);
  ibv_pd* pd = ibv_import_pd(imported, lab.pd()->handle);
  REQUIRE(pd != nullptr);
  CHECK(ibv_import_mr(pd, 0xffff'fff0) == nullptr);
  CHECK(ibv_import_dm(imported, 0xffff'fff0) == nullptr);
  ibv_mr* mr = ibv_import_mr(pd, buffer.mr()->handle);
  REQUIRE(mr != nullptr);
  CHECK(mr->addr == nullptr);
  CHECK(mr->lkey == buffer.lkey());
  ibv_dm* same = ibv_import_dm(imported, dm->handle);
  REQUIRE(same != nullptr);

  const std::uint32_t word = 77;
  std::uint32_t seen = 0;
  CHECK(ibv_memcpy_to_dm(dm, 0, &word, 4) == 0);
  CHECK(ibv_memcpy_from_dm(&seen, same, 0, 4) == 0);
  CHECK(seen == 77);
  // A region made through the import belongs to the same domain as the QPs of the original.
  std::uint8_t bytes[64];
  std::memset(bytes, 0x61, sizeof bytes);
  ibv_mr* own = ibv_reg_mr(pd, bytes, sizeof bytes, kAccessAll);
  REQUIRE(own != nullptr);
  CHECK(run(lab, IBV_WR_RDMA_WRITE, {reinterpret_cast<std::uintptr_t>(bytes), 64, own->lkey}, buffer.addr(),
            mr->rkey) == IBV_WC_SUCCESS);
  CHECK(std::memcmp(buffer.data(), bytes, sizeof bytes) == 0);
  CHECK(ibv_dereg_mr(own) == 0);

  ibv_unimport_dm(same);
  ibv_unimport_mr(mr);
  ibv_unimport_pd(pd);
  CHECK(run(lab, IBV_WR_RDMA_WRITE, buffer.sge(64, 64), buffer.addr(), buffer.rkey()) == IBV_WC_SUCCESS);
  CHECK(ibv_close_device(imported) == 0);
  CHECK(fcntl(copy, F_GETFD) == -1);  // it was the context's
  CHECK(ibv_free_dm(dm) == 0);
}

TEST_CASE("a protection domain lives until its last import has gone, whoever closes first", "[verbs][import]") {
  ibv_context* original = nullptr;
  Lab lab;
  original = ibv_open_device(lab.context()->device);
  REQUIRE(original != nullptr);
  ibv_pd* pd = ibv_alloc_pd(original);
  REQUIRE(pd != nullptr);
  ibv_context* imported = ibv_import_device(dup(original->cmd_fd));
  REQUIRE(imported != nullptr);
  ibv_pd* same = ibv_import_pd(imported, pd->handle);
  REQUIRE(same != nullptr);
  CHECK(ibv_close_device(original) == 0);
  std::uint8_t bytes[16];
  ibv_mr* mr = ibv_reg_mr(same, bytes, sizeof bytes, kAccessLocal);
  REQUIRE(mr != nullptr);
  CHECK(ibv_dealloc_pd(same) == EBUSY);
  CHECK(ibv_dereg_mr(mr) == 0);
  CHECK(ibv_dealloc_pd(same) == 0);
  CHECK(ibv_close_device(imported) == 0);
}

TEST_CASE("descriptors that are no context's can't be imported", "[verbs][import]") {
  Lab lab;
  for (const int file : {-1, open("/dev/null", O_RDONLY | O_CLOEXEC)}) {
    errno = 0;
    CHECK(ibv_import_device(file) == nullptr);
    CHECK(errno == EOPNOTSUPP);
    if (file >= 0) close(file);
  }
}

TEST_CASE("a DMA buffer is registered if processes may map it", "[verbs][dmabuf]") {
  Lab lab;
  const auto refused = [&](int file, int access = kAccessAll) {
    errno = 0;
    return ibv_reg_dmabuf_mr(lab.pd(), 0, 4096, 0, file, access) == nullptr ? errno : 0;
  };
  constexpr std::size_t kPage = 4096;
  const int memory = memfd_create("pages", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  REQUIRE(memory >= 0);
  REQUIRE(ftruncate(memory, 4 * kPage) == 0);
  REQUIRE(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
  CHECK(refused(-1) == EOPNOTSUPP);
  CHECK(refused(memory) == EINVAL);  // a file, but no DMA buffer
  const int maker = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
  if (maker < 0) {
    WARN("no /dev/udmabuf here: only refusals were tested");
    close(memory);
    return;
  }
  udmabuf_create request{};
  request.memfd = static_cast<std::uint32_t>(memory);
  request.flags = UDMABUF_FLAGS_CLOEXEC;
  request.size = 4 * kPage;
  const int file = ioctl(maker, UDMABUF_CREATE, &request);
  REQUIRE(file >= 0);
  CHECK(refused(file, IBV_ACCESS_REMOTE_WRITE) == EINVAL);
  CHECK(ibv_reg_dmabuf_mr(lab.pd(), kPage, 4 * kPage, 0, file, kAccessAll) == nullptr);
  ibv_mr* mr = ibv_reg_dmabuf_mr(lab.pd(), kPage + 100, 2 * kPage, 0x7000, file, kAccessAll);
  REQUIRE(mr != nullptr);
  close(file);
  Buffer buffer(lab.pd(), kPage);
  buffer.fill(8);
  CHECK(run(lab, IBV_WR_RDMA_WRITE, buffer.sge(0, kPage), 0x7000 + 10, mr->rkey) == IBV_WC_SUCCESS);
  void* pages = mmap(nullptr, 4 * kPage, PROT_READ, MAP_SHARED, memory, 0);
  REQUIRE(pages != MAP_FAILED);
  CHECK(std::memcmp(static_cast<std::uint8_t*>(pages) + kPage + 110, buffer.data(), kPage) == 0);
  munmap(pages, 4 * kPage);
  CHECK(ibv_dereg_mr(mr) == 0);
  close(maker);
  close(memory);
}
