// The notification point of DCQCN, one a QP on the receiving side: turns ECN-marked packets into at most one CNP an
// interval. Held by value in the QP.
#pragma once

#include "base/time.h"

namespace rocelab::rxe {

class CnpGenerator {
 public:
  /// 50 us between CNPs of a flow: Zhu et al., "Congestion Control for Large-Scale RDMA Deployments", SIGCOMM
  /// 2015, 3.1.
  static constexpr base::Duration kInterval = base::Duration::us(50);

  explicit CnpGenerator(base::Duration interval = kInterval) : interval_(interval) {}

  /// A packet marked "congestion experienced" has arrived: must a CNP be sent now?
  bool on_marked(base::TimePoint now) {
    if (sent_ && now - last_ < interval_) return false;
    sent_ = true;
    last_ = now;
    return true;
  }

 private:
  base::Duration interval_;
  base::TimePoint last_;
  bool sent_ = false;
};

}  // namespace rocelab::rxe
