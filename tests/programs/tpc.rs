// tpc PORT: a std::net server with one thread per connection, that uses what std::thread and std::sync have.
//
// Requests are lines. "word TEXT" is answered with TEXT reversed by another thread; "wait" tries every bounded wait of std;
// "total" says what went on so far; "end" joins all connections, prints the total and ends the program.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex, Once, RwLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Counts the lines of one connection; hands them in when its thread ends.
struct Tally(usize);

impl Drop for Tally {
    fn drop(&mut self) {
        HANDED_IN.fetch_add(self.0, Ordering::SeqCst);
    }
}

static HANDED_IN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static TALLY: RefCell<Tally> = const { RefCell::new(Tally(0)) };
}

/// At most eight threads are inside at a time.
struct Desk {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Desk {
    fn enter<R>(&self, work: impl FnOnce() -> R) -> R {
        {
            let mut free = self.freed.wait_while(self.free.lock().unwrap(), |free| *free == 0).unwrap();
            *free -= 1;
        }
        let result = work();
        *self.free.lock().unwrap() += 1;
        self.freed.notify_one();
        result
    }
}

/// What a connection asks of the clerk: it parks until `done`.
struct Order {
    text: String,
    reply: Arc<Mutex<String>>,
    done: Arc<AtomicBool>,
    customer: Thread,
}

struct Shop {
    desk: Desk,
    clerk: mpsc::SyncSender<Order>,
    lengths: RwLock<HashMap<usize, usize>>,
    ending: AtomicBool,
    address: SocketAddr,
    first: Once,
    firsts: AtomicUsize,
}

fn clerk(orders: mpsc::Receiver<Order>) {
    for order in orders {
        *order.reply.lock().unwrap() = order.text.chars().rev().collect();
        order.done.store(true, Ordering::Release);
        order.customer.unpark();
    }
}

fn reversed(shop: &Shop, text: &str) -> String {
    let reply = Arc::new(Mutex::new(String::new()));
    let done = Arc::new(AtomicBool::new(false));
    shop.desk.enter(|| {
        let order = Order { text: text.into(), reply: reply.clone(), done: done.clone(), customer: thread::current() };
        shop.clerk.send(order).unwrap();
        while !done.load(Ordering::Acquire) {
            thread::park();
        }
    });
    *shop.lengths.write().unwrap().entry(text.len()).or_insert(0) += 1;
    let result = reply.lock().unwrap().clone();
    result
}

/// Every wait gives up, and none before its time.
fn bounded_waits() -> &'static str {
    let little = Duration::from_millis(10);
    let (_sender, receiver) = mpsc::channel::<()>();
    let start = Instant::now();
    let received = receiver.recv_timeout(little).is_err();
    let pair = (Mutex::new(()), Condvar::new());
    let timed_out = pair.1.wait_timeout_while(pair.0.lock().unwrap(), little, |_| true).unwrap().1.timed_out();
    while start.elapsed() < 3 * little {
        thread::park_timeout(little);
    }
    thread::sleep(little);
    if received && timed_out && start.elapsed() >= 4 * little { "waited" } else { "did not wait" }
}

fn serve(shop: &Shop, stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    shop.first.call_once(|| {
        thread::yield_now();
        shop.firsts.fetch_add(1, Ordering::SeqCst);
    });
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let lines = TALLY.with(|tally| {
            tally.borrow_mut().0 += 1;
            tally.borrow().0
        });
        let reply = match line.split_once(' ').unwrap_or((&line, "")) {
            ("word", text) => reversed(shop, text),
            ("wait", _) => bounded_waits().into(),
            ("name", _) => thread::current().name().unwrap_or("none").into(),
            ("total", _) => format!("{:?} words", shop.lengths.read().unwrap().values().sum::<usize>()),
            ("panic", _) => panic!("as asked"),
            ("end", _) => {
                shop.ending.store(true, Ordering::SeqCst);
                TcpStream::connect(shop.address)?;
                "ending".into()
            }
            _ => "what?".into(),
        };
        writer.write_all(format!("{lines} {reply}\n").as_bytes())?;
    }
    Ok(())
}

/// Scoped threads that meet at a barrier, and a thing that only one of them makes.
fn warm_up() -> usize {
    let made = Once::new();
    let makers = AtomicUsize::new(0);
    let leaders = AtomicUsize::new(0);
    let meeting = Barrier::new(64);
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                made.call_once(|| {
                    makers.fetch_add(1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(1));
                });
                if meeting.wait().is_leader() {
                    leaders.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    makers.into_inner() * 10 + leaders.into_inner()
}

fn main() {
    println!("warm-up {}", warm_up());
    let port = std::env::args().nth(1).expect("tpc PORT").parse().expect("a port");
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("bind");
    let (sender, receiver) = mpsc::sync_channel(2);
    let clerk = thread::Builder::new().name("clerk".into()).spawn(|| clerk(receiver)).unwrap();
    let shop = Arc::new(Shop {
        desk: Desk { free: Mutex::new(8), freed: Condvar::new() },
        clerk: sender,
        lengths: RwLock::new(HashMap::new()),
        ending: AtomicBool::new(false),
        address: listener.local_addr().unwrap(),
        first: Once::new(),
        firsts: AtomicUsize::new(0),
    });
    let mut connections = Vec::new();
    for (number, stream) in listener.incoming().enumerate() {
        if shop.ending.load(Ordering::SeqCst) {
            break;
        }
        let (shop, stream) = (shop.clone(), stream.expect("accept"));
        let name = format!("customer {number}");
        connections.push(thread::Builder::new().name(name).spawn(move || serve(&shop, stream)).expect("spawn"));
    }
    let count = connections.len();
    let panicked = connections.into_iter().map(|connection| connection.join()).filter(Result::is_err).count();
    let shop = Arc::try_unwrap(shop).ok().expect("nobody else has it");
    let words: usize = shop.lengths.into_inner().unwrap().values().sum();
    drop(shop.clerk);
    clerk.join().unwrap();
    println!("{count} connections, {panicked} panicked, {words} words, {} lines handed in, {} first",
             HANDED_IN.load(Ordering::SeqCst), shop.firsts.load(Ordering::SeqCst));
}
