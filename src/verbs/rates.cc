// Static rates between their code (ibv_rate), multiples of 2.5 Gb/s and Mb/s. IBTA vol 1, 9.11.1; the newer codes are
// those of <infiniband/verbs.h>. A lane that signals at 14.0625 Gb/s or more carries no exact multiple.
#include <infiniband/verbs.h>

namespace {

struct Rate {
  ibv_rate code;
  int multiple;  ///< of 2.5 Gb/s; 0: none
  int mbps;
};

constexpr Rate kRates[] = {
    {IBV_RATE_2_5_GBPS, 1, 2'500},        {IBV_RATE_5_GBPS, 2, 5'000},       {IBV_RATE_10_GBPS, 4, 10'000},
    {IBV_RATE_20_GBPS, 8, 20'000},        {IBV_RATE_30_GBPS, 12, 30'000},    {IBV_RATE_40_GBPS, 16, 40'000},
    {IBV_RATE_60_GBPS, 24, 60'000},       {IBV_RATE_80_GBPS, 32, 80'000},    {IBV_RATE_120_GBPS, 48, 120'000},
    {IBV_RATE_14_GBPS, 0, 14'062},        {IBV_RATE_56_GBPS, 0, 56'250},     {IBV_RATE_112_GBPS, 0, 112'500},
    {IBV_RATE_168_GBPS, 0, 168'750},      {IBV_RATE_25_GBPS, 0, 25'781},     {IBV_RATE_100_GBPS, 0, 103'125},
    {IBV_RATE_200_GBPS, 0, 206'250},      {IBV_RATE_300_GBPS, 0, 309'375},   {IBV_RATE_28_GBPS, 11, 28'125},
    {IBV_RATE_50_GBPS, 20, 53'125},       {IBV_RATE_400_GBPS, 160, 425'000}, {IBV_RATE_600_GBPS, 240, 637'500},
    {IBV_RATE_1200_GBPS, 480, 1'275'000},
};

}  // namespace

int ibv_rate_to_mult(ibv_rate rate) {
  for (const Rate& entry : kRates) {
    if (entry.code == rate && entry.multiple != 0) return entry.multiple;
  }
  return -1;
}

ibv_rate mult_to_ibv_rate(int mult) {
  for (const Rate& entry : kRates) {
    if (entry.multiple == mult && mult != 0) return entry.code;
  }
  return IBV_RATE_MAX;
}

int ibv_rate_to_mbps(ibv_rate rate) {
  for (const Rate& entry : kRates) {
    if (entry.code == rate) return entry.mbps;
  }
  return -1;
}

ibv_rate mbps_to_ibv_rate(int mbps) {
  for (const Rate& entry : kRates) {
    if (entry.mbps == mbps) return entry.code;
  }
  return IBV_RATE_MAX;
}
