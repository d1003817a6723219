// Two processes bounce a message over a reliable connection: the shortest complete verbs program. They tell each other
// where to send over TCP, as nearly every RDMA program does in one way or another.
//
//   rc_pingpong [-n ROUNDS] [-p PORT]          waits for the other side
//   rc_pingpong [-n ROUNDS] [-p PORT] HOST     connects to it
#include <arpa/inet.h>
#include <infiniband/verbs.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kBytes = 1024, kPort = 1 };

/// What the other side must know to send to us. Fixed sizes, network byte order.
struct address {
  uint32_t qp_number;
  uint32_t first_psn;
  uint8_t gid[16];
};

static void check(int good, const char* what) {
  if (good) return;
  fprintf(stderr, "rc_pingpong: %s failed\n", what);
  exit(1);
}

/// A connected TCP socket: to `host`, or, without one, from whoever connects first.
static int meet(const char* host, const char* port) {
  struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
  struct addrinfo* where = NULL;
  check(getaddrinfo(host, port, &hints, &where) == 0, "getaddrinfo");
  int fd = socket(where->ai_family, where->ai_socktype, where->ai_protocol);
  check(fd >= 0, "socket");
  if (host != NULL) {
    check(connect(fd, where->ai_addr, where->ai_addrlen) == 0, "connect");
  } else {
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    check(bind(fd, where->ai_addr, where->ai_addrlen) == 0, "bind");
    check(listen(fd, 1) == 0, "listen");
    const int listener = fd;
    fd = accept(listener, NULL, NULL);
    check(fd >= 0, "accept");
    close(listener);
  }
  freeaddrinfo(where);
  return fd;
}

/// Sends ours, receives theirs.
static void exchange(int fd, const void* ours, void* theirs, size_t bytes) {
  check(write(fd, ours, bytes) == (ssize_t)bytes, "write");
  check(recv(fd, theirs, bytes, MSG_WAITALL) == (ssize_t)bytes, "recv");
}

/// The index of the first RoCE v2 address of the port.
static int find_gid(struct ibv_context* device, union ibv_gid* gid) {
  struct ibv_gid_entry entry;
  for (uint32_t i = 0; ibv_query_gid_ex(device, kPort, i, &entry, 0) == 0; ++i) {
    if (entry.gid_type == IBV_GID_TYPE_ROCE_V2) {
      *gid = entry.gid;
      return (int)i;
    }
  }
  check(0, "finding a RoCE v2 address");
  return -1;
}

/// INIT, ready to receive from `peer`, ready to send.
static void connect_queue_pair(struct ibv_qp* qp, const struct address* own, int gid_index,
                               const struct address* peer) {
  struct ibv_qp_attr init = {.qp_state = IBV_QPS_INIT, .port_num = kPort};
  check(ibv_modify_qp(qp, &init, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT | IBV_QP_ACCESS_FLAGS) == 0, "INIT");

  struct ibv_qp_attr receive = {
      .qp_state = IBV_QPS_RTR,
      .path_mtu = IBV_MTU_1024,
      .dest_qp_num = ntohl(peer->qp_number),
      .rq_psn = ntohl(peer->first_psn),
      .max_dest_rd_atomic = 1,
      .min_rnr_timer = 12,
      .ah_attr = {.is_global = 1, .port_num = kPort, .grh = {.hop_limit = 64, .sgid_index = (uint8_t)gid_index}},
  };
  memcpy(receive.ah_attr.grh.dgid.raw, peer->gid, sizeof peer->gid);
  check(ibv_modify_qp(qp, &receive,
                      IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
                          IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER) == 0,
        "ready to receive");

  struct ibv_qp_attr send = {.qp_state = IBV_QPS_RTS,
                             .timeout = 14,
                             .retry_cnt = 7,
                             .rnr_retry = 7,
                             .max_rd_atomic = 1,
                             .sq_psn = ntohl(own->first_psn)};
  check(ibv_modify_qp(qp, &send,
                      IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN |
                          IBV_QP_MAX_QP_RD_ATOMIC) == 0,
        "ready to send");
}

static void post_receive(struct ibv_qp* qp, struct ibv_mr* mr, void* buffer) {
  struct ibv_sge piece = {.addr = (uintptr_t)buffer, .length = kBytes, .lkey = mr->lkey};
  struct ibv_recv_wr request = {.sg_list = &piece, .num_sge = 1}, *bad = NULL;
  check(ibv_post_recv(qp, &request, &bad) == 0, "post_recv");
}

static void post_send(struct ibv_qp* qp, struct ibv_mr* mr, void* buffer) {
  struct ibv_sge piece = {.addr = (uintptr_t)buffer, .length = kBytes, .lkey = mr->lkey};
  struct ibv_send_wr request = {.sg_list = &piece,
                                .num_sge = 1,
                                .opcode = IBV_WR_SEND,
                                .send_flags = IBV_SEND_SIGNALED},
                     *bad = NULL;
  check(ibv_post_send(qp, &request, &bad) == 0, "post_send");
}

/// Completions that came while another kind was waited for: the peer's next message may arrive before the
/// acknowledgement of ours.
struct early {
  int receives, sends;
};

/// Polls until so many receives and sends have completed.
static void complete(struct ibv_cq* cq, struct early* early, int receives, int sends) {
  while (early->receives < receives || early->sends < sends) {
    struct ibv_wc done;
    const int count = ibv_poll_cq(cq, 1, &done);
    check(count >= 0, "poll_cq");
    if (count == 0) continue;
    if (done.status != IBV_WC_SUCCESS) fprintf(stderr, "rc_pingpong: %s\n", ibv_wc_status_str(done.status));
    check(done.status == IBV_WC_SUCCESS, "a work request");
    if (done.opcode == IBV_WC_RECV) ++early->receives;
    if (done.opcode == IBV_WC_SEND) ++early->sends;
  }
  early->receives -= receives;
  early->sends -= sends;
}

int main(int argc, char** argv) {
  const char* port = "18600";
  long rounds = 1000;
  for (int option; (option = getopt(argc, argv, "n:p:")) != -1;) {
    if (option == 'n') rounds = strtol(optarg, NULL, 10);
    if (option == 'p') port = optarg;
    if (option == '?') return 2;
  }
  const char* host = optind < argc ? argv[optind] : NULL;

  int devices = 0;
  struct ibv_device** list = ibv_get_device_list(&devices);
  check(list != NULL && devices > 0, "finding an RDMA device");
  struct ibv_context* device = ibv_open_device(list[0]);
  check(device != NULL, "open_device");
  printf("%s\n", ibv_get_device_name(list[0]));
  ibv_free_device_list(list);

  char* buffers = calloc(2, kBytes);  // one to send from, one to receive into
  struct ibv_pd* pd = ibv_alloc_pd(device);
  check(pd != NULL && buffers != NULL, "alloc_pd");
  struct ibv_mr* mr = ibv_reg_mr(pd, buffers, 2 * kBytes, IBV_ACCESS_LOCAL_WRITE);
  struct ibv_cq* cq = ibv_create_cq(device, 4, NULL, NULL, 0);
  check(mr != NULL && cq != NULL, "reg_mr and create_cq");
  struct ibv_qp_init_attr wanted = {
      .send_cq = cq,
      .recv_cq = cq,
      .cap = {.max_send_wr = 1, .max_recv_wr = 2, .max_send_sge = 1, .max_recv_sge = 1},
      .qp_type = IBV_QPT_RC,
  };
  struct ibv_qp* qp = ibv_create_qp(pd, &wanted);
  check(qp != NULL, "create_qp");

  union ibv_gid gid;
  const int gid_index = find_gid(device, &gid);
  struct address own = {.qp_number = htonl(qp->qp_num), .first_psn = htonl((uint32_t)getpid() & 0xffffff)}, peer;
  memcpy(own.gid, gid.raw, sizeof own.gid);
  const int tcp = meet(host, port);
  exchange(tcp, &own, &peer, sizeof own);
  connect_queue_pair(qp, &own, gid_index, &peer);
  post_receive(qp, mr, buffers + kBytes);
  char ready = 1, other_ready = 0;
  exchange(tcp, &ready, &other_ready, sizeof ready);  // nobody sends before the other has posted a receive

  struct early early = {0, 0};
  for (long round = 0; round < rounds; ++round) {
    if (host == NULL) complete(cq, &early, 1, 0);
    memset(buffers, (int)(round & 0xff), kBytes);
    if (host == NULL) {  // answer with what came
      check(memcmp(buffers, buffers + kBytes, kBytes) == 0, "comparing what arrived");
      post_receive(qp, mr, buffers + kBytes);
      post_send(qp, mr, buffers);
      complete(cq, &early, 0, 1);
    } else {
      post_send(qp, mr, buffers);
      complete(cq, &early, 1, 1);
      check(memcmp(buffers, buffers + kBytes, kBytes) == 0, "comparing what came back");
      post_receive(qp, mr, buffers + kBytes);
    }
  }
  exchange(tcp, &ready, &other_ready,
           sizeof ready);  // nobody leaves while the other still waits for an acknowledgement
  printf("%ld messages of %d bytes went there and back, every byte as sent\n", rounds, kBytes);

  ibv_destroy_qp(qp);
  ibv_destroy_cq(cq);
  ibv_dereg_mr(mr);
  ibv_dealloc_pd(pd);
  ibv_close_device(device);
  free(buffers);
  close(tcp);
  return 0;
}
