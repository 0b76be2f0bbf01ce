#pragma once

/// All of libguv's C++ API.
#include "guv/deadline.hpp"
#include "guv/error.hpp"
#include "guv/event.hpp"
#include "guv/green_thread.hpp"
#include "guv/hub.hpp"
#include "guv/local.hpp"
#include "guv/net.hpp"
#include "guv/patcher.hpp"
#include "guv/pool.hpp"
#include "guv/queue.hpp"
#include "guv/semaphore.hpp"
#include "guv/timeout.hpp"
#include "guv/trampoline.hpp"
