// The rdma_cm device by its commands, as librdmacm writes them, without librdmacm: states, errors, lengths, and a
// connection between two ids of this process. That librdmacm itself works is tests/interop/rdma_cm's business.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <rdma/rdma_user_cm.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "verbs/rdma_cm/exports.h"

namespace {

constexpr std::uint32_t kAddrResolved = 0, kRouteResolved = 2, kConnectRequest = 4, kConnectResponse = 5, kRejected = 8,
                        kEstablished = 9, kDisconnected = 10, kMulticastJoin = 12;
constexpr std::uint64_t kUid = 0x1234;

/// An open device.
class Channel {
 public:
  explicit Channel(int flags = O_CLOEXEC | O_NONBLOCK) : fd_(rocelab_rdma_cm.open(flags)) { REQUIRE(fd_ >= 0); }
  ~Channel() {
    rocelab_rdma_cm.closing(fd_);
    close(fd_);
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  int fd() const { return fd_; }
  bool readable() const {
    pollfd one{fd_, POLLIN, 0};
    return poll(&one, 1, 0) == 1;
  }
  /// What write() says: 0, or a negative errno value.
  template <class T>
  int send(std::uint32_t number, const T& body, std::size_t out = 0, std::size_t in = sizeof(T)) {
    std::vector<char> bytes(sizeof(rdma_ucm_cmd_hdr) + in);
    const rdma_ucm_cmd_hdr header{number, static_cast<std::uint16_t>(in), static_cast<std::uint16_t>(out)};
    std::memcpy(bytes.data(), &header, sizeof(header));
    std::memcpy(bytes.data() + sizeof(header), &body, std::min(in, sizeof(T)));
    const ssize_t result = rocelab_rdma_cm.write(fd_, bytes.data(), bytes.size());
    return result < 0 ? static_cast<int>(result) : (result == static_cast<ssize_t>(bytes.size()) ? 0 : -1);
  }
  template <class Reply, class T>
  int ask(std::uint32_t number, T body, Reply& reply) {
    body.response = reinterpret_cast<std::uintptr_t>(&reply);
    return send(number, body, sizeof(reply));
  }

  std::uint32_t create(std::uint16_t space = RDMA_PS_TCP, std::uint64_t uid = kUid) {
    rdma_ucm_create_id body{};
    body.uid = uid;
    body.ps = space;
    rdma_ucm_create_id_resp reply{};
    REQUIRE(ask(RDMA_USER_CM_CMD_CREATE_ID, body, reply) == 0);
    return reply.id;
  }
  int destroy(std::uint32_t id, std::uint32_t* events = nullptr) {
    rdma_ucm_destroy_id body{};
    body.id = id;
    rdma_ucm_destroy_id_resp reply{};
    const int status = ask(RDMA_USER_CM_CMD_DESTROY_ID, body, reply);
    if (events != nullptr) *events = reply.events_reported;
    return status;
  }
  int bind(std::uint32_t id, const char* address, std::uint16_t port) {
    rdma_ucm_bind_ip body{};
    body.id = id;
    auto* to = reinterpret_cast<sockaddr_in*>(&body.addr);
    to->sin_family = AF_INET;
    to->sin_port = htons(port);
    set_ipv4(address, to->sin_addr.s_addr);
    return send(RDMA_USER_CM_CMD_BIND_IP, body);
  }
  int resolve(std::uint32_t id, const char* address, std::uint16_t port) {
    rdma_ucm_resolve_ip body{};
    body.id = id;
    body.timeout_ms = 2000;
    auto* to = reinterpret_cast<sockaddr_in*>(&body.dst_addr);
    to->sin_family = AF_INET;
    to->sin_port = htons(port);
    set_ipv4(address, to->sin_addr.s_addr);
    return send(RDMA_USER_CM_CMD_RESOLVE_IP, body);
  }
  int listen(std::uint32_t id, std::uint32_t backlog = 0) {
    return send(RDMA_USER_CM_CMD_LISTEN, rdma_ucm_listen{id, backlog});
  }
  /// The next event, waited for; REQUIREd to be of this kind.
  rdma_ucm_event_resp expect(std::uint32_t kind) {
    rdma_ucm_event_resp reply{};
    pollfd one{fd_, POLLIN, 0};
    REQUIRE(poll(&one, 1, 60'000) == 1);
    REQUIRE(ask(RDMA_USER_CM_CMD_GET_EVENT, rdma_ucm_get_event{}, reply) == 0);
    REQUIRE(reply.event == kind);
    return reply;
  }
  std::uint16_t port_of(std::uint32_t id) {
    rdma_ucm_query body{};
    body.id = id;
    body.option = RDMA_USER_CM_QUERY_ADDR;
    rdma_ucm_query_addr_resp reply{};
    REQUIRE(ask(RDMA_USER_CM_CMD_QUERY, body, reply) == 0);
    sockaddr_in address{};
    std::memcpy(&address, &reply.src_addr, sizeof(address));
    return ntohs(address.sin_port);
  }

 private:
  static void set_ipv4(const char* text, in_addr_t& to) {
    unsigned part[4] = {};
    REQUIRE(std::sscanf(text, "%u.%u.%u.%u", &part[0], &part[1], &part[2], &part[3]) == 4);
    to = htonl(part[0] << 24 | part[1] << 16 | part[2] << 8 | part[3]);
  }
  int fd_;
};

/// From a new id to one whose route to the port is known.
std::uint32_t routed(Channel& channel, std::uint16_t port, std::uint16_t space = RDMA_PS_TCP) {
  const std::uint32_t id = channel.create(space);
  REQUIRE(channel.resolve(id, "127.0.0.1", port) == 0);
  channel.expect(kAddrResolved);
  REQUIRE(channel.send(RDMA_USER_CM_CMD_RESOLVE_ROUTE, rdma_ucm_resolve_route{id, 2000}) == 0);
  channel.expect(kRouteResolved);
  return id;
}

rdma_ucm_connect connection(std::uint32_t id, const std::string& words) {
  rdma_ucm_connect body{};
  body.id = id;
  body.conn_param.valid = 1;
  body.conn_param.qp_num = 0x10077;
  body.conn_param.responder_resources = 3;
  body.conn_param.initiator_depth = 2;
  body.conn_param.private_data_len = static_cast<std::uint8_t>(words.size());
  std::memcpy(body.conn_param.private_data, words.data(), words.size());
  return body;
}

std::uint32_t listener(Channel& channel, std::uint16_t& port, std::uint16_t space = RDMA_PS_TCP) {
  const std::uint32_t id = channel.create(space);
  REQUIRE(channel.bind(id, "0.0.0.0", 0) == 0);
  port = channel.port_of(id);
  REQUIRE(channel.listen(id, 4) == 0);
  return id;
}

}  // namespace

TEST_CASE("rdma_cm: two ids connect, and each hears what the other said", "[verbs][rdma_cm]") {
  Channel server, client;
  std::uint16_t port = 0;
  listener(server, port);
  const std::uint32_t active = routed(client, port);
  REQUIRE(client.send(RDMA_USER_CM_CMD_CONNECT, connection(active, "hello")) == 0);

  const rdma_ucm_event_resp request = server.expect(kConnectRequest);
  CHECK(request.uid == kUid);
  CHECK(std::string(reinterpret_cast<const char*>(request.param.conn.private_data), 5) == "hello");
  CHECK(request.param.conn.private_data_len == 56);  // the whole field, less the addresses
  CHECK(request.param.conn.responder_resources == 2);
  CHECK(request.param.conn.initiator_depth == 3);
  CHECK(request.param.conn.qp_num == 0x10077);

  rdma_ucm_accept answer{};
  answer.id = request.id;
  answer.uid = 0x5678;
  answer.conn_param = connection(0, "welcome").conn_param;
  answer.conn_param.qp_num = 0x10078;  // not the one that asks
  REQUIRE(server.send(RDMA_USER_CM_CMD_ACCEPT, answer) == 0);
  const rdma_ucm_event_resp response = client.expect(kConnectResponse);
  CHECK(std::string(reinterpret_cast<const char*>(response.param.conn.private_data), 7) == "welcome");
  rdma_ucm_accept done{};
  done.id = active;
  REQUIRE(client.send(RDMA_USER_CM_CMD_ACCEPT, done) == 0);
  CHECK(server.expect(kEstablished).uid == 0x5678);

  REQUIRE(client.send(RDMA_USER_CM_CMD_DISCONNECT, rdma_ucm_disconnect{active}) == 0);
  server.expect(kDisconnected);
  REQUIRE(server.send(RDMA_USER_CM_CMD_DISCONNECT, rdma_ucm_disconnect{request.id}) == 0);
  client.expect(kDisconnected);
  std::uint32_t events = 0;
  CHECK(client.destroy(active, &events) == 0);
  CHECK(events == 4);
  CHECK(server.destroy(request.id, &events) == 0);
  CHECK(events == 2);
}

TEST_CASE("rdma_cm: a refusal carries its reason and the program's words", "[verbs][rdma_cm]") {
  Channel server, client;
  std::uint16_t port = 0;
  listener(server, port);
  const std::uint32_t active = routed(client, port);
  REQUIRE(client.send(RDMA_USER_CM_CMD_CONNECT, connection(active, "")) == 0);
  rdma_ucm_reject refusal{};
  refusal.id = server.expect(kConnectRequest).id;
  refusal.private_data_len = 2;
  std::memcpy(refusal.private_data, "no", 2);
  REQUIRE(server.send(RDMA_USER_CM_CMD_REJECT, refusal) == 0);
  const rdma_ucm_event_resp event = client.expect(kRejected);
  CHECK(event.status == 28);  // consumer defined
  CHECK(std::string(reinterpret_cast<const char*>(event.param.conn.private_data), 2) == "no");
}

TEST_CASE("rdma_cm: where nobody listens, the service id is invalid", "[verbs][rdma_cm]") {
  Channel client;
  const std::uint32_t active = routed(client, 9);
  REQUIRE(client.send(RDMA_USER_CM_CMD_CONNECT, connection(active, "")) == 0);
  CHECK(client.expect(kRejected).status == 8);
}

TEST_CASE("rdma_cm: a listener's port is taken until it is destroyed or its channel is closed", "[verbs][rdma_cm]") {
  Channel other;
  std::uint16_t port = 0;
  {
    Channel server;
    const std::uint32_t id = listener(server, port);
    CHECK(other.bind(other.create(), "0.0.0.0", port) == -EADDRINUSE);
    REQUIRE(server.destroy(id) == 0);
    CHECK(other.bind(other.create(), "0.0.0.0", port) == 0);
    listener(server, port);
    CHECK(other.bind(other.create(), "0.0.0.0", port) == -EADDRINUSE);
  }
  CHECK(other.bind(other.create(), "0.0.0.0", port) == 0);
  CHECK(other.bind(other.create(), "203.0.113.1", 0) == -ENODEV);
}

TEST_CASE("rdma_cm: an id moves to another channel with its events", "[verbs][rdma_cm]") {
  Channel from, to;
  const std::uint32_t id = from.create();
  REQUIRE(from.resolve(id, "127.0.0.1", 7) == 0);
  CHECK(from.readable());
  rdma_ucm_migrate_id body{};
  body.id = id;
  body.fd = static_cast<std::uint32_t>(from.fd());
  rdma_ucm_migrate_resp reply{};
  REQUIRE(to.ask(RDMA_USER_CM_CMD_MIGRATE_ID, body, reply) == 0);
  CHECK_FALSE(from.readable());
  CHECK(to.readable());
  to.expect(kAddrResolved);
  CHECK(from.destroy(id) == -EINVAL);
  CHECK(to.destroy(id) == 0);
}

TEST_CASE("rdma_cm: a group's GID is its address, mapped for IPv4", "[verbs][rdma_cm]") {
  Channel channel;
  const std::uint32_t id = channel.create(RDMA_PS_UDP);
  REQUIRE(channel.bind(id, "127.0.0.1", 0) == 0);
  rdma_ucm_join_ip_mcast body{};
  body.id = id;
  body.uid = 99;
  auto* group = reinterpret_cast<sockaddr_in*>(&body.addr);
  group->sin_family = AF_INET;
  group->sin_addr.s_addr = htonl(0xef01'0203);
  rdma_ucm_create_id_resp reply{};
  REQUIRE(channel.ask(RDMA_USER_CM_CMD_JOIN_IP_MCAST, body, reply) == 0);
  const rdma_ucm_event_resp event = channel.expect(kMulticastJoin);
  CHECK(event.uid == 99);
  CHECK(event.param.ud.qp_num == 0xffffff);
  const std::uint8_t expected[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xef, 1, 2, 3};
  CHECK(std::memcmp(event.param.ud.ah_attr.grh.dgid, expected, sizeof(expected)) == 0);
  rdma_ucm_destroy_id leaving{};
  leaving.id = reply.id;
  rdma_ucm_destroy_id_resp left{};
  CHECK(channel.ask(RDMA_USER_CM_CMD_LEAVE_MCAST, leaving, left) == 0);
  CHECK(left.events_reported == 1);
  CHECK(channel.ask(RDMA_USER_CM_CMD_LEAVE_MCAST, leaving, left) == -ENOENT);
}

TEST_CASE("rdma_cm: commands out of order, too short or of others' ids change nothing", "[verbs][rdma_cm]") {
  Channel channel, other;
  const std::uint32_t id = channel.create();
  CHECK(rocelab_rdma_cm.write(channel.fd(), "x", 1) == -EINVAL);
  CHECK(channel.send(99, rdma_ucm_listen{id, 1}) == -EINVAL);
  CHECK(channel.send(RDMA_USER_CM_CMD_GET_OPTION, rdma_ucm_listen{id, 1}) == -ENOSYS);
  for (const std::uint32_t number :
       {RDMA_USER_CM_CMD_CONNECT, RDMA_USER_CM_CMD_ACCEPT, RDMA_USER_CM_CMD_REJECT, RDMA_USER_CM_CMD_BIND_IP,
        RDMA_USER_CM_CMD_BIND, RDMA_USER_CM_CMD_RESOLVE_IP, RDMA_USER_CM_CMD_RESOLVE_ADDR, RDMA_USER_CM_CMD_SET_OPTION,
        RDMA_USER_CM_CMD_DISCONNECT}) {
    INFO("command " << number);
    CHECK(channel.send(number, std::uint16_t{0}) == -EINVAL);
  }
  // Room for the reply is looked at first.
  rdma_ucm_create_id creating{};
  creating.ps = RDMA_PS_TCP;
  CHECK(channel.send(RDMA_USER_CM_CMD_CREATE_ID, creating, 0) == -ENOSPC);
  creating.ps = 0x77;
  rdma_ucm_create_id_resp created{};
  CHECK(channel.ask(RDMA_USER_CM_CMD_CREATE_ID, creating, created) == -EINVAL);
  rdma_ucm_event_resp event{};
  CHECK(channel.ask(RDMA_USER_CM_CMD_GET_EVENT, rdma_ucm_get_event{}, event) == -EAGAIN);

  CHECK(channel.send(RDMA_USER_CM_CMD_RESOLVE_ROUTE, rdma_ucm_resolve_route{id, 1}) == -EINVAL);
  CHECK(channel.send(RDMA_USER_CM_CMD_CONNECT, connection(id, "")) == -EINVAL);
  CHECK(channel.send(RDMA_USER_CM_CMD_DISCONNECT, rdma_ucm_disconnect{id}) == -EINVAL);
  CHECK(channel.send(RDMA_USER_CM_CMD_NOTIFY, rdma_ucm_notify{id, 4}) == -EINVAL);
  CHECK(other.listen(id) == -EINVAL);
  CHECK(other.destroy(id) == -EINVAL);
  CHECK(channel.destroy(4711) == -ENOENT);
  REQUIRE(channel.bind(id, "127.0.0.1", 0) == 0);
  CHECK(channel.bind(id, "127.0.0.1", 0) == -EINVAL);
  CHECK(channel.destroy(id) == 0);
  CHECK(channel.destroy(id) == -ENOENT);

  const std::uint32_t ready = routed(channel, 9);
  CHECK(channel.send(RDMA_USER_CM_CMD_CONNECT, connection(ready, std::string(57, 'x'))) == -EINVAL);
}
