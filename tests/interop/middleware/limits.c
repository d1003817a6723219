/* Makes objects of one kind until the device refuses, and says how many there were and with what errno; then ends what
 * it made and makes one again. With `hold` it keeps them until its input ends. Run by limits.py: limits KIND [hold]. */
#define _GNU_SOURCE
#include <errno.h>
#include <infiniband/verbs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kMost = 300, kMebibyte = 1 << 20 };

static struct ibv_context* context;
static struct ibv_pd* pd;
static struct ibv_cq* cq;
static union ibv_gid gid;
static char* memory;

static void* make(const char* kind) {
  errno = 0;
  if (strcmp(kind, "pd") == 0) return ibv_alloc_pd(context);
  if (strcmp(kind, "cq") == 0) return ibv_create_cq(context, 8, NULL, NULL, 0);
  if (strcmp(kind, "mr") == 0) return ibv_reg_mr(pd, memory, 4096, IBV_ACCESS_LOCAL_WRITE);
  if (strcmp(kind, "memory") == 0) return ibv_reg_mr(pd, memory, kMebibyte, IBV_ACCESS_LOCAL_WRITE);
  if (strcmp(kind, "mw") == 0) return ibv_alloc_mw(pd, IBV_MW_TYPE_2);
  if (strcmp(kind, "srq") == 0) {
    struct ibv_srq_init_attr attr = {.attr = {.max_wr = 8, .max_sge = 1}};
    return ibv_create_srq(pd, &attr);
  }
  if (strcmp(kind, "ah") == 0) {
    struct ibv_ah_attr attr = {.is_global = 1, .port_num = 1, .grh = {.dgid = gid, .sgid_index = 1, .hop_limit = 64}};
    return ibv_create_ah(pd, &attr);
  }
  struct ibv_qp_init_attr attr = {.send_cq = cq,
                                  .recv_cq = cq,
                                  .qp_type = IBV_QPT_RC,
                                  .cap = {.max_send_wr = 4, .max_recv_wr = 4, .max_send_sge = 1, .max_recv_sge = 1}};
  return ibv_create_qp(pd, &attr);
}

static int end(const char* kind, void* object) {
  if (strcmp(kind, "pd") == 0) return ibv_dealloc_pd(object);
  if (strcmp(kind, "cq") == 0) return ibv_destroy_cq(object);
  if (strcmp(kind, "mr") == 0 || strcmp(kind, "memory") == 0) return ibv_dereg_mr(object);
  if (strcmp(kind, "mw") == 0) return ibv_dealloc_mw(object);
  if (strcmp(kind, "srq") == 0) return ibv_destroy_srq(object);
  if (strcmp(kind, "ah") == 0) return ibv_destroy_ah(object);
  return ibv_destroy_qp(object);
}

int main(int argc, char** argv) {
  static void* objects[kMost];
  const char* kind = argc > 1 ? argv[1] : "qp";
  struct ibv_device** list = ibv_get_device_list(NULL);
  if (list == NULL || list[0] == NULL || (context = ibv_open_device(list[0])) == NULL) return perror("device"), 1;
  const int needs_pd = strcmp(kind, "pd") != 0 && strcmp(kind, "cq") != 0, needs_cq = strcmp(kind, "qp") == 0;
  memory = aligned_alloc(4096, kMebibyte);
  if (memory == NULL || ibv_query_gid(context, 1, 1, &gid) != 0) return perror("memory or GID"), 1;
  if (needs_pd && (pd = ibv_alloc_pd(context)) == NULL) return perror("PD"), 1;
  if (needs_cq && (cq = ibv_create_cq(context, 8, NULL, NULL, 0)) == NULL) return perror("CQ"), 1;
  struct ibv_device_attr attr;
  if (ibv_query_device(context, &attr) != 0) return perror("attributes"), 1;
  int count = 0;
  while (count < kMost && (objects[count] = make(kind)) != NULL) ++count;
  printf("%d %s, then %s; max_qp %d max_cq %d max_mr %d\n", count, kind,
         count == kMost ? "enough" : strerrorname_np(errno), attr.max_qp, attr.max_cq, attr.max_mr);
  fflush(stdout);
  if (argc > 2) {
    while (getchar() != EOF) continue;
    return 0;
  }
  for (int i = 0; i < count; ++i) {
    if (end(kind, objects[i]) != 0) return perror("cannot end one"), 1;
  }
  if (count > 0 && make(kind) == NULL) return perror("not even one when all are gone"), 1;
  return 0;
}
