"""mqtt_tls.py: what a machine whose clock nobody has set takes for the time, before a certificate is looked at."""

import sys

import mqtt_tls

# Made by gateway/broker/certificates.py; it holds from 2026-05-01 03:04:05 on.
CA = b"""-----BEGIN CERTIFICATE-----
MIIBljCCAT2gAwIBAgIUYcqN8rOXY/BgILXNoWc8TuTrWYAwCgYIKoZIzj0EAwIw
KDEmMCQGA1UEAwwdSGVhcnRoZ2F0ZSBob3VzZWhvbGQgOTFiNDNjMjAwHhcNMjYw
NTAxMDMwNDA1WhcNNDYwNTAyMDMwNDA1WjAoMSYwJAYDVQQDDB1IZWFydGhnYXRl
IGhvdXNlaG9sZCA5MWI0M2MyMDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMRL
MRDlcm7L0LnES7w0LowLb17zffZaV+y7Ct0vO8kEwT6sbemUTheMPQO1gpewGrfy
DygCudl270I1FQp3MDyjRTBDMBIGA1UdEwEB/wQIMAYBAf8CAQAwDgYDVR0PAQH/
BAQDAgEGMB0GA1UdDgQWBBSRtDwgSQJvOvKciz44mKei7laD6zAKBggqhkjOPQQD
AgNHADBEAiB37N6OyoTDrWfS4m+0mlFiQI5H0vws7i9yAI5Dh0i9LAIgYJqgE1el
t8EKvGFJ76AXly52iI5o/QB8MLIAGHG7pu8=
-----END CERTIFICATE-----
"""


class Machine:
    """A chip's clock, set or not."""

    def __init__(self, now):
        self.now = now
        self.told = []

    def RTC(self):  # noqa: N802 - MicroPython's name
        return self

    def datetime(self, now):
        self.told.append(now)

    def gmtime(self):
        return self.now + (0, 1)  # noqa: RUF005 - not in MicroPython


def told(now, data=CA):
    """What the clock is set to, if it is."""
    machine = Machine(now)
    with open("ca.pem", "wb") as file:
        file.write(data)
    mqtt_tls.machine = mqtt_tls.time = machine
    mqtt_tls.tls("ca.pem")
    return machine.told


def test_a_clock_that_nobody_set_is_set_to_the_day_the_authority_was_made():
    assert told((2000, 1, 1, 0, 0, 7)) == [(2026, 5, 1, 0, 3, 4, 5, 0)]
    assert told((2026, 5, 1, 3, 4, 4)) == [(2026, 5, 1, 0, 3, 4, 5, 0)]


def test_a_clock_that_is_set_stays():
    assert told((2026, 5, 1, 3, 4, 5)) == []
    assert told((2031, 1, 1, 0, 0, 0)) == []


def test_the_form_of_the_file_does_not_matter():
    from binascii import a2b_base64

    der = a2b_base64(b"".join(CA.split(b"\n")[1:-2]))
    assert told((2000, 1, 1, 0, 0, 0), der) == [(2026, 5, 1, 0, 3, 4, 5, 0)]


def test_a_machine_that_keeps_its_own_time_is_not_asked():
    import machine

    with open("ca.pem", "wb") as file:
        file.write(CA)
    mqtt_tls.machine = machine
    mqtt_tls.tls("ca.pem")


def test_a_date_that_is_not_there_says_nothing():
    assert mqtt_tls._read(b"\x17\x0d26050103040") == ()
    assert mqtt_tls._read(b"\x17\x0dxx0501030405Z\x17\x0d260501030405Z") == (2026, 5, 1, 3, 4, 5)
    assert mqtt_tls._read(b"") == ()


def test_the_authority_that_came_with_the_slot_goes_before_the_file():
    class Slot:
        data = CA

    sys.modules["ca"] = Slot
    assert told((2000, 1, 1, 0, 0, 0), b"what it was flashed with") == [(2026, 5, 1, 0, 3, 4, 5, 0)]
    assert "ca" not in sys.modules  # it leaves the memory
