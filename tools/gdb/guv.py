"""The green threads of a process under guv, for gdb: of a live process or of a core file.

  (gdb) source guv.py
  (gdb) guv threads         each of them, and where it is
  (gdb) guv backtrace       their stacks; those that are alike, once
  (gdb) guv backtrace 7     the stack of number 7
  (gdb) guv select 7        "backtrace", "up" and "info locals" are about number 7; without a number, as before

gdb knows kernel threads. The registers of a green thread that is not running lie on its stack: an unwinder says that
the innermost frame of the selected kernel thread was called from there. Nothing in the process is changed.
"""
import gdb
import gdb.unwinder

# What guv_switch_context has pushed, from the stack pointer on (src/arch/x86_64.S).
PUSHED = ('control', 'r15', 'r14', 'r13', 'r12', 'rbx', 'rbp', 'rip')
WORD = 8


def word(address):
    return int.from_bytes(bytes(gdb.selected_inferior().read_memory(address, WORD)), 'little')


def register(name):
    return int(gdb.newest_frame().read_register(name)) % (1 << 64)


class GreenThread:
    def __init__(self, value):
        self.value = value
        self.id = int(value['id'])
        self.state = str(value['state']).rpartition('::')[2]
        self.name = value['name'].string()
        self.handle = int(value['handle'])

    def registers(self):
        """As they will be when it goes on."""
        pointer = int(self.value['context']['stack_pointer'])
        saved = {name: word(pointer + i * WORD) for i, name in enumerate(PUSHED)}
        del saved['control']
        saved['rsp'] = pointer + len(PUSHED) * WORD
        saved['fs_base'] = self.handle
        return saved

    def start(self):
        """Its function, while that has not been called."""
        if self.state == 'ready' and self.registers()['rip'] == int(evaluate('(long)&guv_context_start')):
            return str(self.value['start']).rpartition(' ')[2].strip('<>')
        return None


def evaluate(expression):
    """In C++, whatever the language of the current frame is."""
    with gdb.with_parameter('language', 'c++'):
        return gdb.parse_and_eval(expression)


def green_threads():
    try:
        hub = evaluate('*(guv::Runtime**)&guv::the_runtime')
        thread = gdb.lookup_type('guv::GreenThread')
        place = int(evaluate('(long)(guv::SiblingLink*)(guv::GreenThread*)4096')) - 4096
    except gdb.error:
        raise gdb.GdbError('No guv in this process, or no debugging information for libguv.so.')
    if not hub:
        return
    head = hub['hub_']['threads_']['head_']
    node = head['next']
    while node != head.address:
        yield GreenThread(gdb.Value(int(node) - place).cast(thread.pointer()).dereference())
        node = node['next']


def find(argument):
    for thread in green_threads():
        if str(thread.id) == argument:
            return thread
    raise gdb.GdbError(f'There is no green thread {argument}.')


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class Unwinder(gdb.unwinder.Unwinder):
    """Leads from the innermost frame of the selected kernel thread into a green thread."""

    def __init__(self):
        super().__init__('guv')
        self.registers = None
        self.innermost = None

    def lead_to(self, registers):
        self.registers = None
        gdb.invalidate_cached_frames()
        self.innermost = [register('rsp'), register('rip')]
        self.registers = registers
        gdb.invalidate_cached_frames()

    def forget(self, _):
        """The process goes on."""
        self.registers = None

    def __call__(self, frame):
        if not self.registers:
            return None
        here = [frame.read_register(name) for name in ('rsp', 'rip')]
        if [int(value) % (1 << 64) for value in here] != self.innermost:
            return None
        info = frame.create_unwind_info(FrameId(*here))
        for name, value in self.registers.items():
            info.add_saved_register(name, gdb.Value(value).cast(frame.read_register(name).type))
        return info


unwinder = Unwinder()
gdb.unwinder.register_unwinder(None, unwinder, replace=True)
gdb.events.cont.connect(unwinder.forget)


class KernelThreads:
    """Which of them runs which green thread; the selected one is selected again in the end."""

    def __enter__(self):
        if not gdb.selected_thread():
            raise gdb.GdbError('There is no process to look at.')
        self.before = gdb.selected_thread()
        self.led_to = unwinder.registers
        unwinder.lead_to(None)
        self.running = {}
        for thread in gdb.selected_inferior().threads():
            thread.switch()
            try:
                self.running[register('fs_base')] = thread
            except gdb.error:  # in a core gdb takes what libc has listed for kernel threads
                continue
        self.before.switch()
        return self

    def __exit__(self, *_):
        self.before.switch()
        unwinder.lead_to(self.led_to)

    def select(self, thread):
        """Makes the outermost frames of gdb those of `thread`; returns the first of them."""
        if runs_it := self.running.get(thread.handle):
            runs_it.switch()
            unwinder.lead_to(None)
            return gdb.newest_frame()
        self.before.switch()
        unwinder.lead_to(thread.registers())
        frame = gdb.newest_frame()
        while frame and not (frame.pc() == unwinder.registers['rip'] and frame.type() == gdb.NORMAL_FRAME):
            frame = frame.older()
        return frame


def stack(frame):
    while frame:
        yield frame
        try:
            frame = frame.older()
        except gdb.error:  # a stack that cannot be read on
            return


def describe(frame):
    source = frame.find_sal()
    if source.symtab:
        place = f'at {source.symtab.filename}:{source.line}'
    else:
        place = f'from {gdb.solib_name(frame.pc()) or "?"}'
    return f'{frame.name() or hex(frame.pc())} {place}'


def calls(thread, first):
    """Its stack as the program sees it: of guv's frames only the function that the program has called."""
    if start := thread.start():
        return [f'has not begun {start}']
    lines, of_guv = [], []
    for frame in stack(first):
        if 'libguv.so' in (gdb.solib_name(frame.pc()) or ''):
            of_guv = [(frame.name() or '?').removeprefix('guv_wrap_')]
        else:
            lines += of_guv + [describe(frame)]
            of_guv = []
    return lines or of_guv


def title(threads):
    first = threads[0]
    if len(threads) == 1:
        name = f' "{first.name}"' if first.name else ''
        return f'Green thread {first.id}{name} ({first.state}), pthread_t {first.handle:#x}'
    numbers = ' '.join(str(thread.id) for thread in threads[:10]) + (' …' if len(threads) > 10 else '')
    return f'{len(threads)} green threads ({first.state}): {numbers}'


class Guv(gdb.Command):
    """The green threads of a process that runs under guv: guv threads, guv backtrace [N], guv select [N]."""

    def __init__(self):
        super().__init__('guv', gdb.COMMAND_STACK, prefix=True)


class Threads(gdb.Command):
    """Lists the green threads: number, state, pthread_t, name, and where each waits."""

    def __init__(self):
        super().__init__('guv threads', gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        with KernelThreads() as kernel:
            for thread in green_threads():
                place = ' in '.join(calls(thread, kernel.select(thread))[:2])
                print(f'{thread.id:>6} {thread.state:<9} {thread.handle:#x} {thread.name or "-":<15} {place}')


class Backtrace(gdb.Command):
    """Prints the stack of green thread N, or the stacks of all: those that are alike, once."""

    def __init__(self):
        super().__init__('guv backtrace', gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        alike = {}
        with KernelThreads() as kernel:
            for thread in [find(argument)] if argument else green_threads():
                key = thread.state, tuple(calls(thread, kernel.select(thread)))
                alike.setdefault(key, []).append(thread)
        for (_, lines), threads in sorted(alike.items(), key=lambda item: -len(item[1])):
            print(title(threads))
            for line in lines:
                print(f'    {line}')


class Select(gdb.Command):
    """Makes gdb's commands about stacks show green thread N, from frame #1 on; without N, no more."""

    def __init__(self):
        super().__init__('guv select', gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        unwinder.lead_to(None)
        if not argument:
            return
        thread = find(argument)
        with KernelThreads() as kernel:
            if runs_it := kernel.running.get(thread.handle):
                kernel.before, kernel.led_to = runs_it, None
            else:
                kernel.led_to = thread.registers()
        if unwinder.registers:
            gdb.execute('frame 1')


Guv()
Threads()
Backtrace()
Select()
