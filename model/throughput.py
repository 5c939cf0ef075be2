"""What a table or a global index may consume, as its definition keeps it: billing mode, provisioned, on-demand and
warm throughput. An index has all of it for itself but the billing mode, which is its table's.

Pure: time comes in as an argument. `change` turns a definition into the one that UpdateTable asks for, or raises what
AWS says; the members in MEMBERS mean something only together and are replaced together.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/capacity-mode.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from kvorum.model import errors
from kvorum.model.limits import CAPACITY_UNITS_MAX, DECREASE_INTERVAL_SECONDS, FREE_DECREASES_A_DAY

Definition = dict[str, Any]
Units = dict[str, int]

WARM_READ_UNITS = 12_000
WARM_WRITE_UNITS = 4_000
"""What an on-demand table can take from birth. Source: developer guide, "On-demand capacity mode"."""

MEMBERS = (
    "BillingMode",
    "ProvisionedThroughput",
    "OnDemandThroughput",
    "WarmThroughput",
    "ThroughputHistory",
    "LastUpdateToPayPerRequestDateTime",
)
"""The first four as CreateTable has them. ThroughputHistory: LastIncreaseDateTime, LastDecreaseDateTime (seconds)
and the decreases on the latter's day."""

INDEX_MEMBERS = ("ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput", "ThroughputHistory")
"""Those of MEMBERS that a global index has for itself."""

_READ = "ReadCapacityUnits"
_WRITE = "WriteCapacityUnits"
_DAY_SECONDS = 86_400


def on_demand(definition: Definition) -> bool:
    return bool(definition.get("BillingMode") == "PAY_PER_REQUEST")


def provisioned(definition: Definition) -> Units:
    """Both capacity units; zeros on demand, as AWS says it."""
    units: Units = {} if on_demand(definition) else definition.get("ProvisionedThroughput", {})
    return {_READ: units.get(_READ, 0), _WRITE: units.get(_WRITE, 0)}


def history(definition: Definition, now_ms: int) -> dict[str, Any]:
    """Times of the last increase and decrease where there was one, and NumberOfDecreasesToday (UTC)."""
    known: dict[str, Any] = definition.get("ThroughputHistory", {})
    last = known.get("LastDecreaseDateTime")
    today = last is not None and last // _DAY_SECONDS == now_ms // 1000 // _DAY_SECONDS
    return {**known, "NumberOfDecreasesToday": known["NumberOfDecreasesToday"] if today else 0}


def warm(definition: Definition) -> Units:
    """What the table is ready for: never less than what it was once provisioned for, or asked to be warm for."""
    units = provisioned(definition)
    asked: Units = definition.get("WarmThroughput", {})
    read, write = asked.get("ReadUnitsPerSecond", 0), asked.get("WriteUnitsPerSecond", 0)
    if on_demand(definition):
        read, write = read or WARM_READ_UNITS, write or WARM_WRITE_UNITS
    return {"ReadUnitsPerSecond": max(read, units[_READ]), "WriteUnitsPerSecond": max(write, units[_WRITE])}


def of_index(specification: Definition, definition: Definition) -> Definition:
    """An index's members as if it were a table of its own: `definition` is its table's."""
    members = {member: specification[member] for member in INDEX_MEMBERS if member in specification}
    return {**members, "BillingMode": definition.get("BillingMode", "PROVISIONED")}


def check_units(units: Units | None, *, of: str = "") -> None:
    """Raises ValidationException for more than AWS can count."""
    for member in (_READ, _WRITE) if units is not None else ():
        if units is not None and units[member] > CAPACITY_UNITS_MAX:
            raise errors.validation(f"Given value {units[member]} for {member} is out of bounds{of}")


_UNWANTED, _WANTED = "ProvisionedThroughput should not be", "ProvisionedThroughput is not specified"
_UNWANTED_LATER = "Neither ReadCapacityUnits nor WriteCapacityUnits can be"
_WANTED_LATER = "Both ReadCapacityUnits and WriteCapacityUnits must be specified"


def check_index(specification: Definition, *, on_demand: bool, later: bool = False) -> None:
    """A global index that is being created must say what its table's billing mode wants, and nothing else. `later`: by
    UpdateTable, for which AWS has other words."""
    name, units = specification["IndexName"], specification.get("ProvisionedThroughput")
    if on_demand and units is not None:
        unwanted = _UNWANTED_LATER if later else _UNWANTED
        raise errors.invalid(f"{unwanted} specified for index: {name} when BillingMode is PAY_PER_REQUEST")
    if not on_demand and units is None:
        raise errors.invalid(f"{_WANTED_LATER if later else _WANTED} for index: {name}")
    check_units(units, of=f" for index {name}")
    check_limits(specification, on_demand=on_demand, index=name)


def check_limits(created: Definition, *, on_demand: bool, index: str = "") -> None:
    """OnDemandThroughput and WarmThroughput of a table, or of an `index`, that is being created."""
    for member, units in created.get("OnDemandThroughput", {}).items():
        if not on_demand:
            of = f" for index: {index}" if index else ""
            raise errors.invalid(
                f"{member} for OnDemandThroughput{of} cannot be specified when table BillingMode is "
                "PROVISIONED."
            )
        _check_range(member, units, index)
    for member, units in created.get("WarmThroughput", {}).items():
        _check_warm(created, member, units, on_demand=on_demand, index=index)


def _check_warm(created: Definition, member: str, units: int, *, on_demand: bool, index: str) -> None:
    provisioned_as = _READ if member == "ReadUnitsPerSecond" else _WRITE
    if on_demand and units < warm({"BillingMode": "PAY_PER_REQUEST"})[member]:
        reason = (
            "initial throughput for OnDemand. See: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
            "on-demand-capacity-mode.html#on-demand-capacity-mode-initial"
        )
    elif units < provisioned(created)[provisioned_as]:
        reason = f"{provisioned_as} of ProvisionedThroughput"
    else:
        return
    raise errors.invalid(
        f"Requested {member} for WarmThroughput for {_subject(index)} is lower than {reason}"
    )


def check_switch(indexes: Mapping[str, Definition], changes: Mapping[str, Definition]) -> None:
    """When a table is no longer on demand, each of its global indexes must say what it is provisioned for. Both by
    index name; `changes`: as UpdateTable has them."""
    missing = [name for name in indexes if changes.get(name, {}).get("ProvisionedThroughput") is None]
    if missing:
        raise errors.invalid(f"ProvisionedThroughput must be specified for index: {','.join(missing)}")


def change_index(
    specification: Definition,
    definition: Definition,
    created_ms: int,
    request: Definition,
    now_ms: int,
) -> Definition:
    """`specification` of a global index with what an UpdateTable asks for it (`request`: its throughputs, and the
    table's BillingMode where that is set). `definition`, `created_ms`: its table's, before. Raises as `change`."""
    name = specification["IndexName"]
    before = of_index(specification, definition)
    mode = request.get("BillingMode", before["BillingMode"])
    if mode == "PAY_PER_REQUEST" and request.get("ProvisionedThroughput") is not None:
        raise errors.invalid(
            f"The only Updates for index: {name} when TableThroughputMode is PAY_PER_REQUEST can be to "
            "OnDemandThroughput, WarmThroughput"
        )
    if before["BillingMode"] == mode:
        request = {member: value for member, value in request.items() if member != "BillingMode"}
    changed = change(before, created_ms, request, now_ms, name)
    if (
        "BillingMode" in request and mode == "PAY_PER_REQUEST"
    ):  # AWS counts that as one, though of a table it does not
        changed["ThroughputHistory"] = _decreased(history(before, now_ms), now_ms)
    kept = {member: value for member, value in specification.items() if member not in INDEX_MEMBERS}
    return {**kept, **{member: changed[member] for member in INDEX_MEMBERS if member in changed}}


def change(
    definition: Definition, created_ms: int, request: Definition, now_ms: int, index: str = ""
) -> Definition:
    """`definition` with the members of an UpdateTable that are about throughput, in AWS's order and words.
    `created_ms`: the table's birth; `index`: the name, where it is an index's. Raises ValidationException or
    LimitExceededException."""
    mode: str = request.get("BillingMode") or definition.get("BillingMode", "PROVISIONED")
    wanted: Units | None = request.get("ProvisionedThroughput")
    if mode == "PAY_PER_REQUEST" and wanted is not None:
        raise errors.invalid(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
            "PAY_PER_REQUEST"
        )
    if request.get("BillingMode") == "PROVISIONED" and wanted is None:
        raise errors.invalid("ProvisionedThroughput must be specified when BillingMode is PROVISIONED")
    changed = dict(definition)
    if on_demand(definition) != (mode == "PAY_PER_REQUEST"):
        _switch(changed, mode, wanted, created_ms, now_ms)
    elif wanted is not None:
        _provision(changed, definition, wanted, now_ms, index)
    if request.get("OnDemandThroughput"):
        _limit(changed, request["OnDemandThroughput"], index)
    if request.get("WarmThroughput"):
        _warm_up(changed, request["WarmThroughput"], index)
    return changed


def _switch(changed: Definition, mode: str, wanted: Units | None, created_ms: int, now_ms: int) -> None:
    ready = warm(changed)
    changed["BillingMode"] = mode
    if wanted is None:
        changed.pop("ProvisionedThroughput", None)
        changed["LastUpdateToPayPerRequestDateTime"] = now_ms / 1000
        changed["WarmThroughput"] = {
            "ReadUnitsPerSecond": max(ready["ReadUnitsPerSecond"], WARM_READ_UNITS),
            "WriteUnitsPerSecond": max(ready["WriteUnitsPerSecond"], WARM_WRITE_UNITS),
        }
        return
    changed["ProvisionedThroughput"] = wanted
    changed["WarmThroughput"] = ready
    changed.setdefault("LastUpdateToPayPerRequestDateTime", created_ms / 1000)
    changed.pop("OnDemandThroughput", None)


def _provision(changed: Definition, definition: Definition, wanted: Units, now_ms: int, index: str) -> None:
    current = provisioned(definition)
    named = _subject(index) if index else "the table"
    if all(current[member] == wanted[member] for member in (_READ, _WRITE)):
        raise errors.validation(
            f"The provisioned throughput for the {_subject(index)} will not change. The requested value equals the "
            f"current value. Current ReadCapacityUnits provisioned for {named}: {current[_READ]}. "
            f"Requested ReadCapacityUnits: {wanted[_READ]}. "
            f"Current WriteCapacityUnits provisioned for {named}: {current[_WRITE]}. "
            f"Requested WriteCapacityUnits: {wanted[_WRITE]}. "
            "Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits."
        )
    known = history(definition, now_ms)
    if any(wanted[member] < current[member] for member in (_READ, _WRITE)):
        _check_decreases(known, now_ms)
        known = _decreased(known, now_ms)
    if any(wanted[member] > current[member] for member in (_READ, _WRITE)):
        known["LastIncreaseDateTime"] = now_ms / 1000
    changed["ThroughputHistory"] = known
    changed["WarmThroughput"] = warm(definition)
    changed["ProvisionedThroughput"] = wanted


def _check_decreases(known: dict[str, Any], now_ms: int) -> None:
    """The first ones of a day at any time, then one an hour. Source: developer guide, "Quotas"."""
    if known["NumberOfDecreasesToday"] < FREE_DECREASES_A_DAY:
        return
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    last = datetime.fromtimestamp(known["LastDecreaseDateTime"], UTC)
    tomorrow = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    again = min(last + timedelta(seconds=DECREASE_INTERVAL_SECONDS), tomorrow)
    if now < again:
        raise errors.limit_exceeded(
            "Subscriber limit exceeded: Provisioned throughput decreases are limited within a given UTC day. "
            f"After the first {FREE_DECREASES_A_DAY} decreases, each subsequent decrease in the same UTC day can "
            f"be performed at most once every {DECREASE_INTERVAL_SECONDS} seconds. Number of decreases today: "
            f"{known['NumberOfDecreasesToday']}. Last decrease at {_words(last)}. "
            f"Next decrease can be made at {_words(again)}."
        )


def _words(moment: datetime) -> str:
    hour = moment.hour % 12 or 12
    return (
        f"{moment:%A, %B} {moment.day}, {moment.year} at {hour}:{moment:%M:%S} "
        f"{'AM' if moment.hour < 12 else 'PM'} Coordinated Universal Time"
    )


def _limit(changed: Definition, wanted: Units, index: str) -> None:
    """-1 takes a limit away."""
    limits: Units = dict(changed.get("OnDemandThroughput", {}))
    for member, units in wanted.items():
        if not on_demand(changed):
            of = f" for index : {index}" if index else ""
            raise errors.invalid(
                f"{member} for OnDemandThroughput{of} cannot be specified when the table BillingMode is "
                "PROVISIONED"
            )
        if units != -1:
            _check_range(member, units, index)
        limits[member] = units
    left = {member: units for member, units in limits.items() if units != -1}
    if left:
        changed["OnDemandThroughput"] = left
    else:
        changed.pop("OnDemandThroughput", None)


def _warm_up(changed: Definition, wanted: Units, index: str) -> None:
    ready = warm(changed)
    for member, units in wanted.items():
        if units < ready[member]:
            raise errors.invalid(
                f"Requested {member} for WarmThroughput for {_subject(index)} is lower than current "
                "WarmThroughput, decreasing WarmThroughput is not supported"
            )
    changed["WarmThroughput"] = {**ready, **wanted}


def _check_range(member: str, units: int, index: str) -> None:
    if units < 1:
        subject = f"index : {index}" if index else "table"
        raise errors.invalid(
            f"Requested {member} for OnDemandThroughput for {subject} is outside of valid range"
        )


def _decreased(known: dict[str, Any], now_ms: int) -> dict[str, Any]:
    return {
        **known,
        "NumberOfDecreasesToday": known["NumberOfDecreasesToday"] + 1,
        "LastDecreaseDateTime": now_ms / 1000,
    }


def _subject(index: str) -> str:
    return f"index {index}" if index else "table"
