// Which strategy stands behind each CongestionControl.
#include "rxe/congestion/congestion.h"

#include "rxe/congestion/dcqcn.h"

namespace rocelab::rxe {

std::unique_ptr<CongestionController> make_congestion_controller(CongestionControl kind,
                                                                 std::uint64_t link_bits_per_s) {
  switch (kind) {
    case CongestionControl::kNone:
      return nullptr;
    case CongestionControl::kDcqcn:
      return std::make_unique<Dcqcn>(link_bits_per_s, DcqcnParameters::sigcomm15());
  }
  return nullptr;
}

}  // namespace rocelab::rxe
