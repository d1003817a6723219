/* An MPI program that checks every byte it moves: collective.c, run by openmpi.py with two and four ranks. All-reduce
 * of sums and of maxima on messages from 1 to 1 Mi elements (eager, then rendezvous by RDMA READ), in place,
 * non-blocking and several at once; all-to-all; send and receive around a ring; one-sided puts, gets and atomics.
 * Prints "rank R of N: all right" or says what was wrong and aborts. */
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int rank, size;

static void check(int right, const char* what, long where) {
  if (right) return;
  fprintf(stderr, "rank %d: WRONG: %s at %ld\n", rank, what, where);
  MPI_Abort(MPI_COMM_WORLD, 1);
}

/* What rank `of` contributes at `i` in round `round`; small enough for sums to stay exact. */
static int64_t part(int of, long i, int round) { return (int64_t)of * 1000003 + i * 7 + round * 131; }

static void all_reduce(long elements, int round) {
  int64_t *mine = malloc((size_t)elements * sizeof *mine), *sum = malloc((size_t)elements * sizeof *sum);
  check(mine != NULL && sum != NULL, "memory", elements);
  for (long i = 0; i < elements; ++i) mine[i] = part(rank, i, round);
  MPI_Allreduce(mine, sum, (int)elements, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
  for (long i = 0; i < elements; ++i) {
    int64_t expected = 0;
    for (int of = 0; of < size; ++of) expected += part(of, i, round);
    check(sum[i] == expected, "the sum", i);
    check(mine[i] == part(rank, i, round), "the source of the sum", i);
  }
  MPI_Allreduce(MPI_IN_PLACE, mine, (int)elements, MPI_INT64_T, MPI_MAX, MPI_COMM_WORLD);
  for (long i = 0; i < elements; ++i) check(mine[i] == part(size - 1, i, round), "the maximum", i);
  free(mine);
  free(sum);
}

static void several_at_once(void) {
  enum { kCount = 8, kElements = 3000 };
  static int64_t from[kCount][kElements], to[kCount][kElements];
  MPI_Request requests[kCount];
  for (int k = 0; k < kCount; ++k) {
    for (long i = 0; i < kElements; ++i) from[k][i] = part(rank, i, k);
    MPI_Iallreduce(from[k], to[k], kElements, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD, &requests[k]);
  }
  MPI_Waitall(kCount, requests, MPI_STATUSES_IGNORE);
  for (int k = 0; k < kCount; ++k) {
    for (long i = 0; i < kElements; ++i) {
      int64_t expected = 0;
      for (int of = 0; of < size; ++of) expected += part(of, i, k);
      check(to[k][i] == expected, "one of several sums", i);
    }
  }
}

static void all_to_all(int elements) {
  int64_t *from = malloc((size_t)(elements * size) * sizeof *from),
          *to = malloc((size_t)(elements * size) * sizeof *to);
  check(from != NULL && to != NULL, "memory", elements);
  for (int peer = 0; peer < size; ++peer) {
    for (long i = 0; i < elements; ++i) from[peer * elements + i] = part(rank, i, peer);
  }
  MPI_Alltoall(from, elements, MPI_INT64_T, to, elements, MPI_INT64_T, MPI_COMM_WORLD);
  for (int peer = 0; peer < size; ++peer) {
    for (long i = 0; i < elements; ++i) check(to[peer * elements + i] == part(peer, i, rank), "all-to-all", i);
  }
  free(from);
  free(to);
}

static void around_the_ring(int bytes) {
  unsigned char *from = malloc((size_t)bytes), *to = malloc((size_t)bytes);
  check(from != NULL && to != NULL, "memory", bytes);
  const int next = (rank + 1) % size, previous = (rank + size - 1) % size;
  for (int i = 0; i < bytes; ++i) from[i] = (unsigned char)(i * 31 + rank);
  MPI_Sendrecv(from, bytes, MPI_BYTE, next, 5, to, bytes, MPI_BYTE, previous, 5, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  for (int i = 0; i < bytes; ++i) check(to[i] == (unsigned char)(i * 31 + previous), "the neighbour's message", i);
  free(from);
  free(to);
}

static void one_sided(void) {
  enum { kElements = 20000, kRounds = 200 };
  int64_t* memory;
  MPI_Win window;
  MPI_Win_allocate(kElements * sizeof *memory, sizeof *memory, MPI_INFO_NULL, MPI_COMM_WORLD, &memory, &window);
  for (long i = 0; i < kElements; ++i) memory[i] = -1;
  static int64_t mine[kElements], back[kElements];
  for (long i = 0; i < kElements; ++i) mine[i] = part(rank, i, 9);
  const int next = (rank + 1) % size, previous = (rank + size - 1) % size;
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_Win_lock_all(0, window);
  MPI_Put(mine, kElements, MPI_INT64_T, next, 0, kElements, MPI_INT64_T, window);
  MPI_Win_flush(next, window);
  MPI_Get(back, kElements, MPI_INT64_T, next, 0, kElements, MPI_INT64_T, window);
  MPI_Win_flush(next, window);
  for (long i = 0; i < kElements; ++i) check(back[i] == mine[i], "what was put and got back", i);
  MPI_Barrier(MPI_COMM_WORLD);
  for (long i = 0; i < kElements; ++i) check(memory[i] == part(previous, i, 9), "what the neighbour put", i);

  /* Everybody counts at rank 0: each sees a number of its own, and in the end all are there. */
  if (rank == 0) memory[0] = 0;
  MPI_Win_sync(window);
  MPI_Barrier(MPI_COMM_WORLD);
  const int64_t one = 1;
  int64_t seen = -1, last = -1;
  for (int i = 0; i < kRounds; ++i) {
    MPI_Fetch_and_op(&one, &seen, MPI_INT64_T, 0, 0, MPI_SUM, window);
    MPI_Win_flush(0, window);
    check(seen > last, "the counter ran backwards", i);
    last = seen;
  }
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_Fetch_and_op(&one, &seen, MPI_INT64_T, 0, 0, MPI_NO_OP, window);
  MPI_Win_flush(0, window);
  check(seen == (int64_t)kRounds * size, "the counter's end", seen);

  /* One of all wins the compare-and-swap. */
  const int64_t before = (int64_t)kRounds * size, token = before + 1 + rank;
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_Compare_and_swap(&token, &before, &seen, MPI_INT64_T, 0, 0, window);
  MPI_Win_flush(0, window);
  int won = seen == before, winners = 0;
  MPI_Allreduce(&won, &winners, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  check(winners == 1, "winners of the compare-and-swap", winners);
  MPI_Win_unlock_all(window);
  MPI_Win_free(&window);
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  int round = 0;
  for (long elements = 1; elements <= 1 << 20; elements *= 32, ++round) all_reduce(elements, round);
  several_at_once();
  all_to_all(1);
  all_to_all(30000);
  for (int bytes = 0; bytes <= 1 << 20; bytes = bytes == 0 ? 1 : bytes * 32) around_the_ring(bytes);
  one_sided();
  MPI_Barrier(MPI_COMM_WORLD);
  printf("rank %d of %d: all right\n", rank, size);
  MPI_Finalize();
  return 0;
}
