// What happens to the device when the process forks.
#include <infiniband/verbs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "tests/support/catch.h"
#include "tests/verbs/lab.h"

using namespace rocelab::verbs_test;

TEST_CASE("a child of fork() has no device: calls fail, nothing crashes, and the parent goes on", "[verbs]") {
  CHECK(ibv_fork_init() == 0);
  CHECK(ibv_is_fork_initialized() == IBV_FORK_UNNEEDED);
  Lab lab;
  Buffer buffer(lab.pd(), 64);
  Lab::Pair pair = lab.make_pair(IBV_QPT_RC);
  ibv_sge sge = buffer.sge(0, 16);
  REQUIRE(post_recv(pair.b, nullptr, 3) == 0);
  const pid_t child = fork();
  if (child == 0) {
    int wrong = 0;
    const auto expect = [&wrong](bool good) { wrong += good ? 0 : 1; };
    ibv_send_wr wr = send_wr(IBV_WR_SEND, &sge);
    ibv_send_wr* bad = nullptr;
    expect(ibv_post_send(pair.a, &wr, &bad) == ENODEV && bad == &wr);
    ibv_wc wc{};
    expect(ibv_poll_cq(lab.cq(), 1, &wc) == 0);
    expect(ibv_alloc_pd(lab.context()) == nullptr && errno == ENODEV);
    expect(ibv_create_cq(lab.context(), 4, nullptr, nullptr, 0) == nullptr && errno == ENODEV);
    ibv_device_attr attr{};
    expect(ibv_query_device(lab.context(), &attr) == 0);
    ibv_port_attr port{};
    expect(ibv_query_port(lab.context(), 1, &port) == ENODEV);
    expect(ibv_req_notify_cq(lab.cq(), 0) == ENODEV);
    expect(ibv_destroy_qp(pair.a) == ENODEV);
    std::uint8_t bytes[16];
    expect(ibv_reg_mr(lab.pd(), bytes, sizeof(bytes), kAccessLocal) == nullptr && errno == ENODEV);
    _exit(wrong);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  REQUIRE(post(pair.a, send_wr(IBV_WR_SEND, nullptr)) == 0);
  lab.wait_success();
  lab.wait_success();
  CHECK(ibv_destroy_qp(pair.a) == 0);
  CHECK(ibv_destroy_qp(pair.b) == 0);
}

TEST_CASE("a child of fork() may leave by exit(), with everything of the parent's open", "[verbs]") {
  Lab lab;
  const pid_t child = fork();
  if (child == 0) exit(7);
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 7);
}
