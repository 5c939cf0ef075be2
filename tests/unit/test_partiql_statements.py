"""ExecuteStatement and BatchExecuteStatement against a region in memory: what they read and write, page by page, and
AWS's words for what they refuse."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvorum.model import errors
from kvorum.model.errors import ApiError
from kvorum.model.limits import PAGE_BYTES_MAX
from kvorum.model.table import KeyPart, KeySchema
from tests.kit.fake_cluster import FakeCluster
from tests.kit.service_model import assert_answer_fits

FAILED = "ConditionalCheckFailedException: The conditional request failed"


def cluster_with(*items: dict[str, Any]) -> FakeCluster:
    cluster = FakeCluster()
    cluster.add_table("Things", KeySchema(KeyPart("pk", "S"), KeyPart("sk", "N")))
    cluster.add_table("Flat", KeySchema(KeyPart("pk", "S")))
    for item in items:
        cluster.call("PutItem", TableName="Things" if "sk" in item else "Flat", Item=item)
    return cluster


def thing(pk: str, sk: int, **attributes: dict[str, Any]) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"N": str(sk)}, **attributes}


def flat(pk: str, **attributes: dict[str, Any]) -> dict[str, Any]:
    return {"pk": {"S": pk}, **attributes}


@pytest.fixture
def cluster() -> FakeCluster:
    return cluster_with(
        *[thing(pk, sk, v={"N": str(sk)}) for pk in ("p", "q") for sk in range(4)],
        flat("a", n={"N": "1"}, tags={"L": [{"S": "x"}, {"S": "y"}]}, m={"M": {"k": {"L": [{"S": "c"}]}}}),
        flat("b", s={"SS": ["one"]}),
    )


def execute(cluster: FakeCluster, statement: str, **body: Any) -> list[dict[str, Any]]:
    answer = cluster.call("ExecuteStatement", Statement=statement, **body)
    assert_answer_fits("ExecuteStatement", answer)
    assert answer.keys() <= {"Items"}
    return answer["Items"]


def refusal(cluster: FakeCluster, statement: str, **body: Any) -> str:
    return cluster.error("ExecuteStatement", Statement=statement, **body)


def item_of(cluster: FakeCluster, pk: str) -> dict[str, Any] | None:
    return cluster.call("GetItem", TableName="Flat", Key=flat(pk)).get("Item")


# ---- reading: the condition decides what is found, the keys only how -----------------------------------------------

_ATOMS: dict[str, Any] = {
    "pk = 'p'": lambda item: item["pk"] == "p",
    "'q' = pk": lambda item: item["pk"] == "q",
    "pk IN ['p', 'r']": lambda item: item["pk"] in "pr",
    "pk > 'p'": lambda item: item["pk"] > "p",
    "sk = 1": lambda item: item["sk"] == 1,
    "sk <> 1": lambda item: item["sk"] != 1,
    "sk < 2": lambda item: item["sk"] < 2,
    "2 <= sk": lambda item: item["sk"] >= 2,
    "1 < sk": lambda item: item["sk"] > 1,
    "2 > sk": lambda item: item["sk"] < 2,
    "sk BETWEEN 1 AND 2": lambda item: 1 <= item["sk"] <= 2,
    "sk NOT BETWEEN 1 AND 2": lambda item: not 1 <= item["sk"] <= 2,
    "sk IN (0, 3)": lambda item: item["sk"] in (0, 3),
    "v = 2": lambda item: item["v"] == 2,
    "v != 2": lambda item: item["v"] != 2,
    "x IS MISSING": lambda _item: True,
    "v IS NOT MISSING": lambda _item: True,
    "v IS NUMERIC": lambda _item: True,
    "v IS NULL": lambda _item: False,
    "begins_with(pk, 'p')": lambda item: item["pk"] == "p",
    "contains(pk, 'q') = false": lambda item: item["pk"] != "q",
}
_Where = tuple[str, Any]


def _both(one: _Where, two: _Where) -> _Where:
    return f"({one[0]}) AND ({two[0]})", lambda item: one[1](item) and two[1](item)


def _either(one: _Where, two: _Where) -> _Where:
    return f"({one[0]}) or ({two[0]})", lambda item: one[1](item) or two[1](item)


def _not(one: _Where) -> _Where:
    return f"NOT ({one[0]})", lambda item: not one[1](item)


_WHERES: st.SearchStrategy[_Where] = st.recursive(
    st.sampled_from(sorted(_ATOMS)).map(lambda text: (text, _ATOMS[text])),
    lambda inner: st.builds(_both, inner, inner) | st.builds(_either, inner, inner) | st.builds(_not, inner),
    max_leaves=5,
)
_ALL = [(pk, sk) for pk in "pqr" for sk in range(4)]
_REGION = cluster_with(*[thing(pk, sk, v={"N": str(sk)}) for pk, sk in _ALL])


def attempted(**body: Any) -> dict[str, Any] | ApiError:
    try:
        return _REGION.call("ExecuteStatement", **body)
    except ApiError as error:
        return error


@settings(max_examples=300)
@given(_WHERES, st.integers(0, 3), st.sampled_from(("", " ORDER BY pk DESC, sk", " ORDER BY pk, sk DESC")))
def test_pages_of_a_select_add_up(where: _Where, limit: int, order: str) -> None:
    text, matches = where
    found: list[tuple[str, int]] = []
    body: dict[str, Any] = {"Statement": f'SELECT sk, pk FROM "Things" WHERE {text}{order};'}
    if limit:
        body["Limit"] = limit
    while True:
        answer = attempted(**body)
        if isinstance(answer, ApiError):
            assert answer.message.startswith(("Overlapping conditions", "Must have at least one"))
            return
        assert_answer_fits("ExecuteStatement", answer)
        found += [(item["pk"]["S"], int(item["sk"]["N"])) for item in answer["Items"]]
        assert ("NextToken" in answer) == ("LastEvaluatedKey" in answer)
        if "NextToken" not in answer:
            break
        body["NextToken"] = answer["NextToken"]
    expected = [key for key in _ALL if matches({"pk": key[0], "sk": key[1], "v": key[1]})]
    assert sorted(found) == expected
    if order == " ORDER BY pk DESC, sk":
        assert found == sorted(sorted(expected), key=lambda key: key[0], reverse=True)
    elif order:
        assert found == sorted(sorted(expected, reverse=True), key=lambda key: key[0])


def test_a_whole_key_is_one_strong_or_eventual_read(cluster: FakeCluster) -> None:
    statement = "SELECT * FROM Things WHERE pk = 'p' AND sk = 1"
    for strong, units in ((False, 0.5), (True, 1.0)):
        answer = cluster.call(
            "ExecuteStatement",
            Statement=statement,
            ConsistentRead=strong,
            ReturnConsumedCapacity="TOTAL",
            Limit=1,
        )
        assert answer == {
            "Items": [thing("p", 1, v={"N": "1"})],
            "ConsumedCapacity": {"TableName": "Things", "CapacityUnits": units},
        }
    assert (cluster.range_reads, cluster.strong_reads) == (0, 1)
    assert execute(cluster, "SELECT * FROM Things WHERE pk = 'p' AND sk = 9") == []


def test_a_query_reads_only_what_its_keys_allow(cluster: FakeCluster) -> None:
    cluster.call("ExecuteStatement", Statement="SELECT * FROM Things WHERE pk IN ['p', 'q'] AND sk > 1")
    assert cluster.range_reads == 2
    answer = cluster.call(
        "ExecuteStatement",
        Statement="SELECT * FROM Things WHERE pk = 'p' AND pk = 'q'",
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer == {"Items": [], "ConsumedCapacity": {"TableName": "Things", "CapacityUnits": 0.5}}
    assert cluster.range_reads == 2


def test_columns_are_named_by_the_end_of_their_paths(cluster: FakeCluster) -> None:
    assert execute(cluster, "SELECT m.k[0], tags[1], n, absent FROM Flat WHERE pk = 'a'") == [
        {"k[0]": {"S": "c"}, "tags[1]": {"S": "y"}, "n": {"N": "1"}}
    ]
    assert execute(cluster, "SELECT absent FROM Flat WHERE pk = 'a'") == [{}]


def test_order_by_the_partition_key_alone_reads_backwards(cluster: FakeCluster) -> None:
    found = execute(cluster, "SELECT sk FROM Things WHERE pk = 'p' ORDER BY pk ASC")
    assert [item["sk"]["N"] for item in found] == ["3", "2", "1", "0"]


@pytest.mark.parametrize("where", ["pk IN ['p', 'q', 'r']", "pk = 'r' OR pk = 'p' OR pk = 'q'"])
@pytest.mark.parametrize(
    ("items_per_page", "pages"),
    [(3, [4, 2]), (4, [5, 1]), (5, [6, 0]), (6, [6])],
    ids=lambda value: str(value).replace(" ", ""),
)
def test_a_page_ends_past_1_mb_over_several_queries(
    where: str, items_per_page: int, pages: list[int]
) -> None:
    """As many items fit as a page may hold, and the one that takes it past its end."""
    large = {"S": "x" * (PAGE_BYTES_MAX // items_per_page - 100)}
    cluster = cluster_with(*[thing(pk, sk, x=large) for pk in "pqr" for sk in range(2)])
    body: dict[str, Any] = {"Statement": f"SELECT pk, sk FROM Things WHERE {where}"}
    found = []
    for size in pages:
        answer = cluster.call("ExecuteStatement", **body)
        assert len(answer["Items"]) == size
        found += [(item["pk"]["S"], item["sk"]["N"]) for item in answer["Items"]]
        body["NextToken"] = answer.get("NextToken")
    assert body["NextToken"] is None
    assert sorted(found) == [(pk, sk) for pk in "pqr" for sk in "01"]


# ---- NextToken -----------------------------------------------------------------------------------------------------


def test_a_token_fits_only_what_it_was_made_for(cluster: FakeCluster) -> None:
    statement = "SELECT * FROM Things WHERE pk = ?"
    body: dict[str, Any] = {"Statement": statement, "Parameters": [{"S": "p"}]}
    token = cluster.call("ExecuteStatement", **body, Limit=1)["NextToken"]
    assert len(cluster.call("ExecuteStatement", **body, Limit=9, NextToken=token)["Items"]) == 3
    mismatch = "ValidationException: NextToken does not match request"
    for other in (
        {"Statement": statement, "Parameters": [{"S": "q"}]},
        {"Statement": statement + " ", "Parameters": [{"S": "p"}]},
    ):
        assert cluster.error("ExecuteStatement", **other, NextToken=token) == mismatch
    for broken in ("x", "!!!!", "AAAA", token[:-8], token[:20], "é"):
        error = cluster.error("ExecuteStatement", **body, NextToken=broken)
        assert error == "ValidationException: Invalid NextToken"


@given(st.binary(max_size=60))
def test_no_forged_token_does_harm(tail: bytes) -> None:
    statement = "SELECT * FROM Things WHERE pk IN ['p', 'q']"
    token = b64decode(_REGION.call("ExecuteStatement", Statement=statement, Limit=1)["NextToken"])
    answer = attempted(Statement=statement, NextToken=b64encode(token[:17] + tail).decode())
    if isinstance(answer, ApiError):
        assert answer.message == "Invalid NextToken"


# ---- writing -------------------------------------------------------------------------------------------------------


def test_insert_makes_only_new_items(cluster: FakeCluster) -> None:
    made = flat("c", n={"N": "7"})
    assert execute(cluster, "INSERT INTO Flat VALUE {'pk': ?, 'n': 7}", Parameters=[{"S": "c"}]) == []
    assert item_of(cluster, "c") == made
    duplicate = "DuplicateItemException: Duplicate primary key exists in table"
    assert refusal(cluster, "INSERT INTO Flat VALUE {'pk': 'c'}") == duplicate
    assert item_of(cluster, "c") == made
    assert execute(cluster, "INSERT INTO Flat VALUE ?", Parameters=[{"M": flat("d")}]) == []
    assert item_of(cluster, "d") == flat("d")


def test_update_changes_only_what_is_there(cluster: FakeCluster) -> None:
    assert refusal(cluster, "UPDATE Flat SET n = 5 WHERE pk = 'zz'") == FAILED
    assert refusal(cluster, "UPDATE Flat SET n = 5 WHERE pk = 'a' AND n = 2") == FAILED
    statement = (
        "UPDATE Flat SET n = n + 2 SET l = list_append([1], ?) REMOVE tags[0], m WHERE pk = 'a' AND n = 1"
    )
    assert execute(cluster, statement, Parameters=[{"L": []}]) == []
    assert item_of(cluster, "a") == flat("a", n={"N": "3"}, tags={"L": [{"S": "y"}]}, l={"L": [{"N": "1"}]})
    execute(cluster, "FROM Flat WHERE pk = 'b' SET s = set_add(s, <<'two'>>), z = if_not_exists(z, 0)")
    assert item_of(cluster, "b") == flat("b", s={"SS": ["one", "two"]}, z={"N": "0"})
    execute(cluster, "UPDATE Flat SET s = set_delete(s, ?) WHERE pk = 'b'", Parameters=[{"SS": ["one"]}])
    assert item_of(cluster, "b") == flat("b", s={"SS": ["two"]}, z={"N": "0"})


@pytest.mark.parametrize(
    ("clause", "returned"),
    [
        ("ALL OLD", [flat("a", n={"N": "1"}, tags={"L": [{"S": "x"}, {"S": "y"}]})]),
        ("ALL NEW", [flat("a", n={"N": "2"}, tags={"L": [{"S": "y"}]})]),
        ("MODIFIED OLD", [{"n": {"N": "1"}, "tags": {"L": [{"S": "x"}]}}]),
        ("modified new", [{"n": {"N": "2"}, "tags": {"L": [{"S": "y"}]}}]),
    ],
)
def test_returning(clause: str, returned: list[dict[str, Any]]) -> None:
    cluster = cluster_with(flat("a", n={"N": "1"}, tags={"L": [{"S": "x"}, {"S": "y"}]}))
    statement = f"UPDATE Flat SET n = 2 REMOVE tags[0] WHERE pk = 'a' RETURNING {clause} *"
    assert execute(cluster, statement) == returned


def test_returning_nothing_is_no_row(cluster: FakeCluster) -> None:
    assert execute(cluster, "UPDATE Flat REMOVE n WHERE pk = 'a' RETURNING MODIFIED NEW *") == []
    assert execute(cluster, "UPDATE Flat SET fresh = 1 WHERE pk = 'a' RETURNING MODIFIED OLD *") == []


def test_delete_of_nothing_is_nothing(cluster: FakeCluster) -> None:
    assert refusal(cluster, "DELETE FROM Flat WHERE pk = 'a' AND n = 2") == FAILED
    old = item_of(cluster, "a")
    assert execute(cluster, "DELETE FROM Flat WHERE pk = 'a' AND n = 1 RETURNING ALL OLD *") == [old]
    assert execute(cluster, "DELETE FROM Flat WHERE pk = 'a' AND n = 1 RETURNING ALL OLD *") == []
    assert item_of(cluster, "a") is None


def test_the_item_that_fails_a_condition_comes_back_when_asked_for(cluster: FakeCluster) -> None:
    with pytest.raises(ApiError) as raised:
        cluster.call(
            "ExecuteStatement",
            Statement="UPDATE Flat SET n = 5 WHERE pk = 'b' AND n = 2",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert raised.value.extra == {"Item": item_of(cluster, "b")}


def test_writes_report_capacity(cluster: FakeCluster) -> None:
    answer = cluster.call(
        "ExecuteStatement",
        Statement="INSERT INTO Flat VALUE {'pk': 'new', 'x': ?}",
        Parameters=[{"S": "x" * 1024}],
        ReturnConsumedCapacity="INDEXES",
    )
    consumed = {"TableName": "Flat", "CapacityUnits": 2.0, "Table": {"CapacityUnits": 2.0}}
    assert answer == {"Items": [], "ConsumedCapacity": consumed}


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("pk = 'p' AND NOT sk = 1 OR pk = 'p' AND sk = 2", [0, 2, 3]),
        ("pk = 'p' AND sk <> 1 OR pk = 'p' AND sk = 1", [0, 1, 2, 3]),
        ("pk = 'p' AND sk = 3 OR pk = 'p' AND NOT sk IN [0, 1]", [2, 3]),
        ("pk = 'p' AND NOT sk > 0 OR pk = 'p' AND sk = 2", [0, 2]),
        ("pk = 'p' OR pk = 'p' AND NOT sk = 1", [0, 1, 2, 3]),
    ],
)
def test_branches_that_exclude_sort_keys_may_overlap(
    cluster: FakeCluster, where: str, found: list[int]
) -> None:
    items = execute(cluster, f"SELECT sk FROM Things WHERE {where}")
    assert [int(item["sk"]["N"]) for item in items] == found


def test_what_no_table_could_evaluate_is_refused_before_the_table_is_looked_for(cluster: FakeCluster) -> None:
    wrong = (
        "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"
    )
    assert (
        refusal(cluster, "SELECT * FROM Nowhere WHERE begins_with(a, 1)") == f"ValidationException: {wrong}"
    )
    assert refusal(cluster, "DELETE FROM Nowhere WHERE begins_with(a, 1)") == f"ValidationException: {wrong}"


_NO_KEY = "Where clause does not contain a mandatory equality on all key attributes"
_OVERLAP = "Overlapping conditions with range keys are not supported in where clause"
_TYPE = "Key attribute's data type should match its data type in table's schema: Key "


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE Flat SET a = 1", _NO_KEY),
        ("DELETE FROM Flat WHERE n = 1", _NO_KEY),
        ("DELETE FROM Things WHERE pk = 'p'", _NO_KEY),
        ("DELETE FROM Flat WHERE pk = 'a' OR pk = 'b'", _NO_KEY),
        ("FROM Flat SET c = 1", _NO_KEY),
        (
            "DELETE FROM Flat WHERE pk = 'a' AND pk = 'b'",
            "Multiple conditions on same key pk. Only single item Update/Insert/Delete are supported",
        ),
        ("DELETE FROM Flat WHERE pk = 1", "The provided key element does not match the schema"),
        (
            "UPDATE Flat SET pk = 'c' WHERE pk = 'a'",
            (
                "One or more parameter values were invalid: Cannot update attribute pk. "
                "This attribute is part of the key"
            ),
        ),
        (
            "INSERT INTO Flat VALUE {'x': 1}",
            "One or more parameter values were invalid: Missing the key pk in the item",
        ),
        (
            "INSERT INTO Flat VALUE {'pk': 1}",
            "One or more parameter values were invalid: Type mismatch for key pk expected: S actual: N",
        ),
        (
            "UPDATE Flat SET a.b = 1, a = 2 WHERE pk = 'a'",
            (
                "Two document paths overlap with each other; must remove or rewrite one of these paths; "
                "path one: [a, b], path two: [a]"
            ),
        ),
        (
            "UPDATE Flat SET n = 'a' + 1 WHERE pk = 'a' AND n = 9",
            "Incorrect operand type for operator or function; operator or function: +, operand type: S",
        ),
        (
            "UPDATE Flat SET nolist[0] = 'x' WHERE pk = 'a'",
            "The document path provided in the update expression is invalid for update",
        ),
        (
            "UPDATE Flat SET n = set_add(n, <<1>>) WHERE pk = 'a'",
            "An operand in the update expression has an incorrect data type",
        ),
        ("DELETE FROM Flat.ByName WHERE pk = 'a'", "This operation is not supported on an index"),
        ("SELECT * FROM Flat.ByName", "The table does not have the specified index"),
        ("SELECT * FROM Things WHERE pk IN ['p', 'p']", _OVERLAP),
        ("SELECT * FROM Things WHERE pk = 'p' AND (sk > 0 OR sk < 5)", _OVERLAP),
        ("SELECT * FROM Things WHERE pk = 'p' AND x = '1' OR pk = 'p' AND sk = 2", _OVERLAP),
        ("SELECT * FROM Things WHERE pk = 1 OR pk = 'p'", _TYPE + "pk"),
        ("SELECT * FROM Things WHERE pk = 'p' AND sk IN [1, '2']", _TYPE + "sk"),
        (
            f"SELECT * FROM Flat WHERE pk IN {[str(number) for number in range(51)]}",
            "Too many decomposed read operations for a given query.",
        ),
        (
            f"SELECT * FROM Flat WHERE pk = 'a' AND n IN {list(range(101))}",
            "The IN operator is provided with too many operands; number of operands: 101",
        ),
        (
            "SELECT * FROM Flat ORDER BY pk",
            "Must have WHERE clause in the statement when using ORDER BY clause.",
        ),
        (
            "SELECT * FROM Flat WHERE pk = 'a' ORDER BY n",
            "Attribute n in ORDER BY clause must be part of the primary key",
        ),
        (
            "SELECT * FROM Things WHERE pk > 'a' ORDER BY sk",
            (
                "Must have at least one non-optional hash key condition in WHERE clause "
                "when using ORDER BY clause."
            ),
        ),
        (
            "SELECT * FROM Things WHERE pk IN ['p', 'q'] ORDER BY sk",
            (
                "Must have hash key in ORDER BY clause when more than one hash key condition "
                "specified in WHERE clause."
            ),
        ),
    ],
)
def test_refusals(cluster: FakeCluster, statement: str, message: str) -> None:
    assert refusal(cluster, statement) == f"ValidationException: {message}"


def test_the_statement_comes_before_the_table_and_a_parameter_before_both(cluster: FakeCluster) -> None:
    assert refusal(cluster, "SELECT * FROM Absent") == (
        "ResourceNotFoundException: Requested resource not found"
    )
    assert refusal(cluster, "SELECT * FROM Absent WHERE").startswith("ValidationException: Statement wasn't")
    assert refusal(cluster, "SELECT", Parameters=[{"SS": ["a", "a"]}]) == (
        "ValidationException: One or more parameter values were invalid: "
        "Input collection [a, a] contains duplicates."
    )
    assert "Member must have length less than or equal to 8192" in refusal(cluster, "x" * 8193)


# ---- batches -------------------------------------------------------------------------------------------------------


def batch(cluster: FakeCluster, *statements: str, **body: Any) -> dict[str, Any]:
    answer = cluster.call(
        "BatchExecuteStatement", Statements=[{"Statement": each} for each in statements], **body
    )
    assert_answer_fits("BatchExecuteStatement", answer)
    return answer


def error_of(code: str, message: str, **more: Any) -> dict[str, Any]:
    return {"Error": {"Code": code, "Message": message}, **more}


def test_a_batch_of_reads(cluster: FakeCluster) -> None:
    no_key = error_of(
        "ValidationError",
        "Select statements within BatchExecuteStatement must specify the primary key in the where clause.",
    )
    answer = batch(
        cluster,
        "SELECT n FROM Flat WHERE pk = 'a'",
        "SELECT * FROM Things WHERE sk IN [1] AND pk = 'p'",
        "SELECT * FROM Flat WHERE pk = 'absent'",
        "SELECT * FROM Flat WHERE n = 1",
        "SELECT * FROM Things WHERE pk = 'p'",
        "SELECT * FROM Things WHERE pk = 'p' AND sk = 2 AND v = 2",
        "SELECT * FROM Flat.ByName WHERE pk = 'a'",
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer == {
        "Responses": [
            {"TableName": "Flat", "Item": {"n": {"N": "1"}}},
            {"TableName": "Things", "Item": thing("p", 1, v={"N": "1"})},
            {"TableName": "Flat"},
            no_key,
            no_key,
            no_key,
            no_key,
        ],
        "ConsumedCapacity": [
            {"TableName": "Flat", "CapacityUnits": 1.0},
            {"TableName": "Things", "CapacityUnits": 0.5},
        ],
    }


def test_a_batch_of_writes_says_of_each_what_happened(cluster: FakeCluster) -> None:
    answer = batch(
        cluster,
        "INSERT INTO Flat VALUE {'pk': 'c'}",
        "INSERT INTO Flat VALUE {'pk': 'a'}",
        "UPDATE Flat SET x = 1 WHERE pk = 'b' RETURNING ALL NEW *",
        "UPDATE Flat SET x = 1 WHERE pk = 'absent'",
        "DELETE FROM Absent WHERE pk = 'a'",
        "SLECT",
        "UPDATE Flat SET nolist[0] = 1 WHERE pk = 'c2' OR pk = 'c3'",
    )
    assert answer == {
        "Responses": [
            {"TableName": "Flat"},
            error_of("DuplicateItem", "Duplicate primary key exists in table", TableName="Flat"),
            {"TableName": "Flat", "Item": flat("b", s={"SS": ["one"]}, x={"N": "1"})},
            error_of("ConditionalCheckFailed", "The conditional request failed", TableName="Flat"),
            error_of("ResourceNotFound", "Requested resource not found"),
            error_of(
                "ValidationError",
                "Statement wasn't well formed, can't be processed: Expected data manipulation",
            ),
            error_of("ValidationError", _NO_KEY),
        ]
    }


def test_what_is_wrong_with_a_whole_batch(cluster: FakeCluster) -> None:
    select = {"Statement": "SELECT * FROM Flat WHERE pk = 'a'"}
    delete = {"Statement": "DELETE FROM Flat WHERE pk = 'a'"}
    assert cluster.error("BatchExecuteStatement", Statements=[select, delete]) == (
        "ValidationException: BatchExecuteStatement API does not support both read and write operations "
        "in the same request."
    )
    duplicates = "ValidationException: Provided list of item keys contains duplicates"
    assert cluster.error("BatchExecuteStatement", Statements=[select, select]) == duplicates
    assert cluster.error("BatchExecuteStatement", Statements=[delete, delete]) == duplicates
    assert "less than or equal to 25" in cluster.error("BatchExecuteStatement", Statements=[select] * 26)
    assert "greater than or equal to 1" in cluster.error("BatchExecuteStatement", Statements=[])


def test_an_overloaded_partition_fails_its_statements_alone(cluster: FakeCluster) -> None:
    for each in cluster.directory.partitions_of(cluster.directory.tables["Flat"].id):
        cluster.refusing[each.id] = errors.throttled()
    answer = batch(
        cluster, "SELECT * FROM Flat WHERE pk = 'a'", "SELECT sk FROM Things WHERE pk = 'p' AND sk = 1"
    )
    assert answer["Responses"] == [
        error_of("ThrottlingError", errors.throttled().message, TableName="Flat"),
        {"TableName": "Things", "Item": {"sk": {"N": "1"}}},
    ]
