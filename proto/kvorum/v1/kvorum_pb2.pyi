from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReturnValues(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RETURN_VALUES_UNSPECIFIED: _ClassVar[ReturnValues]
    RETURN_VALUES_NONE: _ClassVar[ReturnValues]
    RETURN_VALUES_ALL_OLD: _ClassVar[ReturnValues]
    RETURN_VALUES_UPDATED_OLD: _ClassVar[ReturnValues]
    RETURN_VALUES_ALL_NEW: _ClassVar[ReturnValues]
    RETURN_VALUES_UPDATED_NEW: _ClassVar[ReturnValues]

class ReturnConsumedCapacity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RETURN_CONSUMED_CAPACITY_UNSPECIFIED: _ClassVar[ReturnConsumedCapacity]
    RETURN_CONSUMED_CAPACITY_NONE: _ClassVar[ReturnConsumedCapacity]
    RETURN_CONSUMED_CAPACITY_TOTAL: _ClassVar[ReturnConsumedCapacity]
    RETURN_CONSUMED_CAPACITY_INDEXES: _ClassVar[ReturnConsumedCapacity]

class OnConditionCheckFailure(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ON_CONDITION_CHECK_FAILURE_UNSPECIFIED: _ClassVar[OnConditionCheckFailure]
    ON_CONDITION_CHECK_FAILURE_NONE: _ClassVar[OnConditionCheckFailure]
    ON_CONDITION_CHECK_FAILURE_ALL_OLD: _ClassVar[OnConditionCheckFailure]

class Select(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SELECT_UNSPECIFIED: _ClassVar[Select]
    SELECT_ALL_ATTRIBUTES: _ClassVar[Select]
    SELECT_ALL_PROJECTED_ATTRIBUTES: _ClassVar[Select]
    SELECT_SPECIFIC_ATTRIBUTES: _ClassVar[Select]
    SELECT_COUNT: _ClassVar[Select]

class ScalarType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCALAR_TYPE_UNSPECIFIED: _ClassVar[ScalarType]
    SCALAR_TYPE_S: _ClassVar[ScalarType]
    SCALAR_TYPE_N: _ClassVar[ScalarType]
    SCALAR_TYPE_B: _ClassVar[ScalarType]

class KeyType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KEY_TYPE_UNSPECIFIED: _ClassVar[KeyType]
    KEY_TYPE_HASH: _ClassVar[KeyType]
    KEY_TYPE_RANGE: _ClassVar[KeyType]

class ProjectionType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROJECTION_TYPE_UNSPECIFIED: _ClassVar[ProjectionType]
    PROJECTION_TYPE_ALL: _ClassVar[ProjectionType]
    PROJECTION_TYPE_KEYS_ONLY: _ClassVar[ProjectionType]
    PROJECTION_TYPE_INCLUDE: _ClassVar[ProjectionType]

class BillingMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BILLING_MODE_UNSPECIFIED: _ClassVar[BillingMode]
    BILLING_MODE_PROVISIONED: _ClassVar[BillingMode]
    BILLING_MODE_PAY_PER_REQUEST: _ClassVar[BillingMode]

class StreamViewType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STREAM_VIEW_TYPE_UNSPECIFIED: _ClassVar[StreamViewType]
    STREAM_VIEW_TYPE_NEW_IMAGE: _ClassVar[StreamViewType]
    STREAM_VIEW_TYPE_OLD_IMAGE: _ClassVar[StreamViewType]
    STREAM_VIEW_TYPE_NEW_AND_OLD_IMAGES: _ClassVar[StreamViewType]
    STREAM_VIEW_TYPE_KEYS_ONLY: _ClassVar[StreamViewType]

class TableStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TABLE_STATUS_UNSPECIFIED: _ClassVar[TableStatus]
    TABLE_STATUS_CREATING: _ClassVar[TableStatus]
    TABLE_STATUS_UPDATING: _ClassVar[TableStatus]
    TABLE_STATUS_DELETING: _ClassVar[TableStatus]
    TABLE_STATUS_ACTIVE: _ClassVar[TableStatus]
    TABLE_STATUS_INACCESSIBLE_ENCRYPTION_CREDENTIALS: _ClassVar[TableStatus]
    TABLE_STATUS_ARCHIVING: _ClassVar[TableStatus]
    TABLE_STATUS_ARCHIVED: _ClassVar[TableStatus]

class IndexStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INDEX_STATUS_UNSPECIFIED: _ClassVar[IndexStatus]
    INDEX_STATUS_CREATING: _ClassVar[IndexStatus]
    INDEX_STATUS_UPDATING: _ClassVar[IndexStatus]
    INDEX_STATUS_DELETING: _ClassVar[IndexStatus]
    INDEX_STATUS_ACTIVE: _ClassVar[IndexStatus]
RETURN_VALUES_UNSPECIFIED: ReturnValues
RETURN_VALUES_NONE: ReturnValues
RETURN_VALUES_ALL_OLD: ReturnValues
RETURN_VALUES_UPDATED_OLD: ReturnValues
RETURN_VALUES_ALL_NEW: ReturnValues
RETURN_VALUES_UPDATED_NEW: ReturnValues
RETURN_CONSUMED_CAPACITY_UNSPECIFIED: ReturnConsumedCapacity
RETURN_CONSUMED_CAPACITY_NONE: ReturnConsumedCapacity
RETURN_CONSUMED_CAPACITY_TOTAL: ReturnConsumedCapacity
RETURN_CONSUMED_CAPACITY_INDEXES: ReturnConsumedCapacity
ON_CONDITION_CHECK_FAILURE_UNSPECIFIED: OnConditionCheckFailure
ON_CONDITION_CHECK_FAILURE_NONE: OnConditionCheckFailure
ON_CONDITION_CHECK_FAILURE_ALL_OLD: OnConditionCheckFailure
SELECT_UNSPECIFIED: Select
SELECT_ALL_ATTRIBUTES: Select
SELECT_ALL_PROJECTED_ATTRIBUTES: Select
SELECT_SPECIFIC_ATTRIBUTES: Select
SELECT_COUNT: Select
SCALAR_TYPE_UNSPECIFIED: ScalarType
SCALAR_TYPE_S: ScalarType
SCALAR_TYPE_N: ScalarType
SCALAR_TYPE_B: ScalarType
KEY_TYPE_UNSPECIFIED: KeyType
KEY_TYPE_HASH: KeyType
KEY_TYPE_RANGE: KeyType
PROJECTION_TYPE_UNSPECIFIED: ProjectionType
PROJECTION_TYPE_ALL: ProjectionType
PROJECTION_TYPE_KEYS_ONLY: ProjectionType
PROJECTION_TYPE_INCLUDE: ProjectionType
BILLING_MODE_UNSPECIFIED: BillingMode
BILLING_MODE_PROVISIONED: BillingMode
BILLING_MODE_PAY_PER_REQUEST: BillingMode
STREAM_VIEW_TYPE_UNSPECIFIED: StreamViewType
STREAM_VIEW_TYPE_NEW_IMAGE: StreamViewType
STREAM_VIEW_TYPE_OLD_IMAGE: StreamViewType
STREAM_VIEW_TYPE_NEW_AND_OLD_IMAGES: StreamViewType
STREAM_VIEW_TYPE_KEYS_ONLY: StreamViewType
TABLE_STATUS_UNSPECIFIED: TableStatus
TABLE_STATUS_CREATING: TableStatus
TABLE_STATUS_UPDATING: TableStatus
TABLE_STATUS_DELETING: TableStatus
TABLE_STATUS_ACTIVE: TableStatus
TABLE_STATUS_INACCESSIBLE_ENCRYPTION_CREDENTIALS: TableStatus
TABLE_STATUS_ARCHIVING: TableStatus
TABLE_STATUS_ARCHIVED: TableStatus
INDEX_STATUS_UNSPECIFIED: IndexStatus
INDEX_STATUS_CREATING: IndexStatus
INDEX_STATUS_UPDATING: IndexStatus
INDEX_STATUS_DELETING: IndexStatus
INDEX_STATUS_ACTIVE: IndexStatus

class AttributeValue(_message.Message):
    __slots__ = ("s", "n", "b", "boolean", "null", "ss", "ns", "bs", "l", "m")
    S_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    BOOLEAN_FIELD_NUMBER: _ClassVar[int]
    NULL_FIELD_NUMBER: _ClassVar[int]
    SS_FIELD_NUMBER: _ClassVar[int]
    NS_FIELD_NUMBER: _ClassVar[int]
    BS_FIELD_NUMBER: _ClassVar[int]
    L_FIELD_NUMBER: _ClassVar[int]
    M_FIELD_NUMBER: _ClassVar[int]
    s: str
    n: str
    b: bytes
    boolean: bool
    null: bool
    ss: StringSet
    ns: NumberSet
    bs: BinarySet
    l: List
    m: Item
    def __init__(self, s: _Optional[str] = ..., n: _Optional[str] = ..., b: _Optional[bytes] = ..., boolean: _Optional[bool] = ..., null: _Optional[bool] = ..., ss: _Optional[_Union[StringSet, _Mapping]] = ..., ns: _Optional[_Union[NumberSet, _Mapping]] = ..., bs: _Optional[_Union[BinarySet, _Mapping]] = ..., l: _Optional[_Union[List, _Mapping]] = ..., m: _Optional[_Union[Item, _Mapping]] = ...) -> None: ...

class StringSet(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, values: _Optional[_Iterable[str]] = ...) -> None: ...

class NumberSet(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, values: _Optional[_Iterable[str]] = ...) -> None: ...

class BinarySet(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, values: _Optional[_Iterable[bytes]] = ...) -> None: ...

class List(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[AttributeValue]
    def __init__(self, values: _Optional[_Iterable[_Union[AttributeValue, _Mapping]]] = ...) -> None: ...

class Item(_message.Message):
    __slots__ = ("attributes",)
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: AttributeValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[AttributeValue, _Mapping]] = ...) -> None: ...
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    attributes: _containers.MessageMap[str, AttributeValue]
    def __init__(self, attributes: _Optional[_Mapping[str, AttributeValue]] = ...) -> None: ...

class ConsumedCapacity(_message.Message):
    __slots__ = ("table_name", "capacity_units", "read_capacity_units", "write_capacity_units", "table", "local_secondary_indexes", "global_secondary_indexes")
    class LocalSecondaryIndexesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Capacity
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Capacity, _Mapping]] = ...) -> None: ...
    class GlobalSecondaryIndexesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Capacity
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Capacity, _Mapping]] = ...) -> None: ...
    TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_UNITS_FIELD_NUMBER: _ClassVar[int]
    READ_CAPACITY_UNITS_FIELD_NUMBER: _ClassVar[int]
    WRITE_CAPACITY_UNITS_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    LOCAL_SECONDARY_INDEXES_FIELD_NUMBER: _ClassVar[int]
    GLOBAL_SECONDARY_INDEXES_FIELD_NUMBER: _ClassVar[int]
    table_name: str
    capacity_units: float
    read_capacity_units: float
    write_capacity_units: float
    table: Capacity
    local_secondary_indexes: _containers.MessageMap[str, Capacity]
    global_secondary_indexes: _containers.MessageMap[str, Capacity]
    def __init__(self, table_name: _Optional[str] = ..., capacity_units: _Optional[float] = ..., read_capacity_units: _Optional[float] = ..., write_capacity_units: _Optional[float] = ..., table: _Optional[_Union[Capacity, _Mapping]] = ..., local_secondary_indexes: _Optional[_Mapping[str, Capacity]] = ..., global_secondary_indexes: _Optional[_Mapping[str, Capacity]] = ...) -> None: ...

class Capacity(_message.Message):
    __slots__ = ("capacity_units", "read_capacity_units", "write_capacity_units")
    CAPACITY_UNITS_FIELD_NUMBER: _ClassVar[int]
    READ_CAPACITY_UNITS_FIELD_NUMBER: _ClassVar[int]
    WRITE_CAPACITY_UNITS_FIELD_NUMBER: _ClassVar[int]
    capacity_units: float
    read_capacity_units: float
    write_capacity_units: float
    def __init__(self, capacity_units: _Optional[float] = ..., read_capacity_units: _Optional[float] = ..., write_capacity_units: _Optional[float] = ...) -> None: ...

class PutItemRequest(_message.Message):
    __slots__ = ("table_name", "item", "condition_expression", "expression_attribute_names", "expression_attribute_values", "return_values", "return_values_on_condition_check_failure", "return_consumed_capacity")
    class ExpressionAttributeNamesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ExpressionAttributeValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: AttributeValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[AttributeValue, _Mapping]] = ...) -> None: ...
    TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    CONDITION_EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_ATTRIBUTE_NAMES_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_ATTRIBUTE_VALUES_FIELD_NUMBER: _ClassVar[int]
    RETURN_VALUES_FIELD_NUMBER: _ClassVar[int]
    RETURN_VALUES_ON_CONDITION_CHECK_FAILURE_FIELD_NUMBER: _ClassVar[int]
    RETURN_CONSUMED_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    table_name: str
    item: Item
    condition_expression: str
    expression_attribute_names: _containers.ScalarMap[str, str]
    expression_attribute_values: _containers.MessageMap[str, AttributeValue]
    return_values: ReturnValues
    return_values_on_condition_check_failure: OnConditionCheckFailure
    return_consumed_capacity: ReturnConsumedCapacity
    def __init__(self, table_name: _Optional[str] = ..., item: _Optional[_Union[Item, _Mapping]] = ..., condition_expression: _Optional[str] = ..., expression_attribute_names: _Optional[_Mapping[str, str]] = ..., expression_attribute_values: _Optional[_Mapping[str, AttributeValue]] = ..., return_values: _Optional[_Union[ReturnValues, str]] = ..., return_values_on_condition_check_failure: _Optional[_Union[OnConditionCheckFailure, str]] = ..., return_consumed_capacity: _Optional[_Union[ReturnConsumedCapacity, str]] = ...) -> None: ...

class PutItemResponse(_message.Message):
    __slots__ = ("attributes", "consumed_capacity")
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    CONSUMED_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    attributes: Item
    consumed_capacity: ConsumedCapacity
    def __init__(self, attributes: _Optional[_Union[Item, _Mapping]] = ..., consumed_capacity: _Optional[_Union[ConsumedCapacity, _Mapping]] = ...) -> None: ...

class GetItemRequest(_message.Message):
    __slots__ = ("table_name", "key", "consistent_read", "projection_expression", "expression_attribute_names", "return_consumed_capacity")
    class ExpressionAttributeNamesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    CONSISTENT_READ_FIELD_NUMBER: _ClassVar[int]
    PROJECTION_EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_ATTRIBUTE_NAMES_FIELD_NUMBER: _ClassVar[int]
    RETURN_CONSUMED_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    table_name: str
    key: Item
    consistent_read: bool
    projection_expression: str
    expression_attribute_names: _containers.ScalarMap[str, str]
    return_consumed_capacity: ReturnConsumedCapacity
    def __init__(self, table_name: _Optional[str] = ..., key: _Optional[_Union[Item, _Mapping]] = ..., consistent_read: _Optional[bool] = ..., projection_expression: _Optional[str] = ..., expression_attribute_names: _Optional[_Mapping[str, str]] = ..., return_consumed_capacity: _Optional[_Union[ReturnConsumedCapacity, str]] = ...) -> None: ...

class GetItemResponse(_message.Message):
    __slots__ = ("item", "consumed_capacity")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    CONSUMED_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    item: Item
    consumed_capacity: ConsumedCapacity
    def __init__(self, item: _Optional[_Union[Item, _Mapping]] = ..., consumed_capacity: _Optional[_Union[ConsumedCapacity, _Mapping]] = ...) -> None: ...

class UpdateItemRequest(_message.Message):
    __slots__ = ("table_name", "key", "update_expression", "condition_expression", "expression_attribute_names", "expression_attribute_values", "return_values", "return_values_on_condition_check_failure", "return_consumed_capacity")
    class ExpressionAttributeNamesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ExpressionAttributeValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: AttributeValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[AttributeValue, _Mapping]] = ...) -> None: ...
    TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    UPDATE_EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    CONDITION_EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_ATTRIBUTE_NAMES_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_ATTRIBUTE_VALUES_FIELD_NUMBER: _ClassVar[int]
    RETURN_VALUES_FIELD_NUMBER: _ClassVar[int]
    RETURN_VALUES_ON_CONDITION_CHECK_FAILURE_FIELD_NUMBER: _ClassVar[int]
    RETURN_CONSUMED_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    table_name: str
    key: Item
    update_expression: str
    condition_expression: str
    expression_attribute_names: _containers.ScalarMap[str, str]
    expression_attribute_values: _containers.MessageMap[str, AttributeValue]
    return_values: ReturnValues
    return_values_on_condition_check_failure: OnConditionCheckFailure
    return_consumed_capacity: ReturnConsumedCapacity
    def __init__(self, table_name: _Optional[str] = ..., key: _Optional[_Union[Item, _Mapping]] = ..., update_expression: _Optional[str] = ..., condition_expression: _Optional[str] = ..., expression_attribute_names: _Optional[_Mapping[str, str]] = ..., expression_attribute_values: _Optional[_Mapping[str, AttributeValue]] = ..., return_values: _Optional[_Union[ReturnValues, str]] = ..., return_values_on_condition_check_failure: _Optional[_Union[OnConditionCheckFailure, str]] = ..., return_consumed_capacity: _Optional[_Union[ReturnConsumedCapacity, str]] = ...) -> None: ...

class UpdateItemResponse(_message.Message):
    __slots__ = ("attributes", "consumed_capacity")
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    CONSUMED_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    attributes: Item
    consumed_capacity: ConsumedCapacity
    def __init__(self, attributes: _Optional[_Union[Item, _Mapping]] = ..., consumed_capacity: _Optional[_Union[ConsumedCapacity, _Mapping]] = ...) -> None: ...

class DeleteItemRequest(_message.Message):
    __slots__ = ("table_name", "key", "condition_expression", "expression_attribute_names", "expression_attribute_values", "return_values", "return_values_on_condition_check_failure", "return_consumed_capacity")
    class ExpressionAttributeNamesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ExpressionAttributeValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: AttributeValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[AttributeValue, _Mapping]] = ...) -> None: ...
    TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    CONDITION_EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_ATTRIBUTE_NAMES_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_ATTRIBUTE_VALUES_FIELD_NUMBER: _ClassVar[int]
    RETURN_VALUES_FIELD_NUMBER: _ClassVar[int]
    RETURN_VALUES_ON_CONDITION_CHECK_FAILURE_FIELD_NUMBER: _ClassVar[int]
    RETURN_CONSUMED_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    table_name: str
    key: Item
    condition_expression: str
    expression_attribute_names: _containers.ScalarMap[str, str]
    expression_attribute_values: _containers.MessageMap[str, AttributeValue]
    return_values: ReturnValues
    return_values_on_condition_check_failure: OnConditionCheckFailure
    return_consumed_capacity: ReturnConsumedCapacity
    def __init__(self, table_name: _Optional[str] = ..., key: _Optional[_Union[Item, _Mapping]] = ..., condition_expression: _Optional[str] = ..., expression_attribute_names: _Optional[_Mapping[str, str]] = ..., expression_attribute_values: _Optional[_Mapping[str, AttributeValue]] = ..., return_values: _Optional[_Union[ReturnValues, str]] = ..., return_values_on_condition_check_failure: _Optional[_Union[OnConditionCheckFailure, str]] = ..., return_consumed_capacity: _Optional[_Union[ReturnConsumedCapacity, str]] = ...) -> None: ...

class DeleteItemResponse(_message.Message):
    __slots__ = ("attributes", "consumed_capacity")
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    CONSUMED_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    attributes: Item
    consumed_capacity: ConsumedCapacity
    def __init__(self, attributes: _Optional[_Union[Item, _Mapping]] = ..., consumed_capacity: _Optional[_Union[ConsumedCapacity, _Mapping]] = ...) -> None: ...

class QueryRequest(_message.Message):
    __slots__ = ("table_name", "index_name", "key_condition_expression", "filter_expression", "projection_expression", "expression_attribute_names", "expression_attribute_values", "exclusive_start_key", "limit", "scan_index_forward", "consistent_read", "select", "return_consumed_capacity")
    class ExpressionAttributeNamesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ExpressionAttributeValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: AttributeValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[AttributeValue, _Mapping]] = ...) -> None: ...
    TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
    INDEX_NAME_FIELD_NUMBER: _ClassVar[int]
    KEY_CONDITION_EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    FILTER_EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    PROJECTION_EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_ATTRIBUTE_NAMES_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_ATTRIBUTE_VALUES_FIELD_NUMBER: _ClassVar[int]
    EXCLUSIVE_START_KEY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    SCAN_INDEX_FORWARD_FIELD_NUMBER: _ClassVar[int]
    CONSISTENT_READ_FIELD_NUMBER: _ClassVar[int]
    SELECT_FIELD_NUMBER: _ClassVar[int]
    RETURN_CONSUMED_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    table_name: str
    index_name: str
    key_condition_expression: str
    filter_expression: str
    projection_expression: str
    expression_attribute_names: _containers.ScalarMap[str, str]
    expression_attribute_values: _containers.MessageMap[str, AttributeValue]
    exclusive_start_key: Item
    limit: int
    scan_index_forward: bool
    consistent_read: bool
    select: Select
    return_consumed_capacity: ReturnConsumedCapacity
    def __init__(self, table_name: _Optional[str] = ..., index_name: _Optional[str] = ..., key_condition_expression: _Optional[str] = ..., filter_expression: _Optional[str] = ..., projection_expression: _Optional[str] = ..., expression_attribute_names: _Optional[_Mapping[str, str]] = ..., expression_attribute_values: _Optional[_Mapping[str, AttributeValue]] = ..., exclusive_start_key: _Optional[_Union[Item, _Mapping]] = ..., limit: _Optional[int] = ..., scan_index_forward: _Optional[bool] = ..., consistent_read: _Optional[bool] = ..., select: _Optional[_Union[Select, str]] = ..., return_consumed_capacity: _Optional[_Union[ReturnConsumedCapacity, str]] = ...) -> None: ...

class QueryResponse(_message.Message):
    __slots__ = ("items", "count", "scanned_count", "last_evaluated_key", "consumed_capacity")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SCANNED_COUNT_FIELD_NUMBER: _ClassVar[int]
    LAST_EVALUATED_KEY_FIELD_NUMBER: _ClassVar[int]
    CONSUMED_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Item]
    count: int
    scanned_count: int
    last_evaluated_key: Item
    consumed_capacity: ConsumedCapacity
    def __init__(self, items: _Optional[_Iterable[_Union[Item, _Mapping]]] = ..., count: _Optional[int] = ..., scanned_count: _Optional[int] = ..., last_evaluated_key: _Optional[_Union[Item, _Mapping]] = ..., consumed_capacity: _Optional[_Union[ConsumedCapacity, _Mapping]] = ...) -> None: ...

class ScanRequest(_message.Message):
    __slots__ = ("table_name", "index_name", "filter_expression", "projection_expression", "expression_attribute_names", "expression_attribute_values", "exclusive_start_key", "limit", "segment", "total_segments", "consistent_read", "select", "return_consumed_capacity")
    class ExpressionAttributeNamesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ExpressionAttributeValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: AttributeValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[AttributeValue, _Mapping]] = ...) -> None: ...
    TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
    INDEX_NAME_FIELD_NUMBER: _ClassVar[int]
    FILTER_EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    PROJECTION_EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_ATTRIBUTE_NAMES_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_ATTRIBUTE_VALUES_FIELD_NUMBER: _ClassVar[int]
    EXCLUSIVE_START_KEY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENT_READ_FIELD_NUMBER: _ClassVar[int]
    SELECT_FIELD_NUMBER: _ClassVar[int]
    RETURN_CONSUMED_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    table_name: str
    index_name: str
    filter_expression: str
    projection_expression: str
    expression_attribute_names: _containers.ScalarMap[str, str]
    expression_attribute_values: _containers.MessageMap[str, AttributeValue]
    exclusive_start_key: Item
    limit: int
    segment: int
    total_segments: int
    consistent_read: bool
    select: Select
    return_consumed_capacity: ReturnConsumedCapacity
    def __init__(self, table_name: _Optional[str] = ..., index_name: _Optional[str] = ..., filter_expression: _Optional[str] = ..., projection_expression: _Optional[str] = ..., expression_attribute_names: _Optional[_Mapping[str, str]] = ..., expression_attribute_values: _Optional[_Mapping[str, AttributeValue]] = ..., exclusive_start_key: _Optional[_Union[Item, _Mapping]] = ..., limit: _Optional[int] = ..., segment: _Optional[int] = ..., total_segments: _Optional[int] = ..., consistent_read: _Optional[bool] = ..., select: _Optional[_Union[Select, str]] = ..., return_consumed_capacity: _Optional[_Union[ReturnConsumedCapacity, str]] = ...) -> None: ...

class ScanResponse(_message.Message):
    __slots__ = ("items", "count", "scanned_count", "last_evaluated_key", "consumed_capacity")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SCANNED_COUNT_FIELD_NUMBER: _ClassVar[int]
    LAST_EVALUATED_KEY_FIELD_NUMBER: _ClassVar[int]
    CONSUMED_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Item]
    count: int
    scanned_count: int
    last_evaluated_key: Item
    consumed_capacity: ConsumedCapacity
    def __init__(self, items: _Optional[_Iterable[_Union[Item, _Mapping]]] = ..., count: _Optional[int] = ..., scanned_count: _Optional[int] = ..., last_evaluated_key: _Optional[_Union[Item, _Mapping]] = ..., consumed_capacity: _Optional[_Union[ConsumedCapacity, _Mapping]] = ...) -> None: ...

class KeysAndAttributes(_message.Message):
    __slots__ = ("keys", "consistent_read", "projection_expression", "expression_attribute_names")
    class ExpressionAttributeNamesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    KEYS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENT_READ_FIELD_NUMBER: _ClassVar[int]
    PROJECTION_EXPRESSION_FIELD_NUMBER: _ClassVar[int]
    EXPRESSION_ATTRIBUTE_NAMES_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[Item]
    consistent_read: bool
    projection_expression: str
    expression_attribute_names: _containers.ScalarMap[str, str]
    def __init__(self, keys: _Optional[_Iterable[_Union[Item, _Mapping]]] = ..., consistent_read: _Optional[bool] = ..., projection_expression: _Optional[str] = ..., expression_attribute_names: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Items(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Item]
    def __init__(self, items: _Optional[_Iterable[_Union[Item, _Mapping]]] = ...) -> None: ...

class BatchGetItemRequest(_message.Message):
    __slots__ = ("request_items", "return_consumed_capacity")
    class RequestItemsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: KeysAndAttributes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[KeysAndAttributes, _Mapping]] = ...) -> None: ...
    REQUEST_ITEMS_FIELD_NUMBER: _ClassVar[int]
    RETURN_CONSUMED_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    request_items: _containers.MessageMap[str, KeysAndAttributes]
    return_consumed_capacity: ReturnConsumedCapacity
    def __init__(self, request_items: _Optional[_Mapping[str, KeysAndAttributes]] = ..., return_consumed_capacity: _Optional[_Union[ReturnConsumedCapacity, str]] = ...) -> None: ...

class BatchGetItemResponse(_message.Message):
    __slots__ = ("responses", "unprocessed_keys", "consumed_capacity")
    class ResponsesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Items
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Items, _Mapping]] = ...) -> None: ...
    class UnprocessedKeysEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: KeysAndAttributes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[KeysAndAttributes, _Mapping]] = ...) -> None: ...
    RESPONSES_FIELD_NUMBER: _ClassVar[int]
    UNPROCESSED_KEYS_FIELD_NUMBER: _ClassVar[int]
    CONSUMED_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    responses: _containers.MessageMap[str, Items]
    unprocessed_keys: _containers.MessageMap[str, KeysAndAttributes]
    consumed_capacity: _containers.RepeatedCompositeFieldContainer[ConsumedCapacity]
    def __init__(self, responses: _Optional[_Mapping[str, Items]] = ..., unprocessed_keys: _Optional[_Mapping[str, KeysAndAttributes]] = ..., consumed_capacity: _Optional[_Iterable[_Union[ConsumedCapacity, _Mapping]]] = ...) -> None: ...

class WriteRequest(_message.Message):
    __slots__ = ("table_name", "put_item", "delete_key")
    TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
    PUT_ITEM_FIELD_NUMBER: _ClassVar[int]
    DELETE_KEY_FIELD_NUMBER: _ClassVar[int]
    table_name: str
    put_item: Item
    delete_key: Item
    def __init__(self, table_name: _Optional[str] = ..., put_item: _Optional[_Union[Item, _Mapping]] = ..., delete_key: _Optional[_Union[Item, _Mapping]] = ...) -> None: ...

class BatchWriteItemRequest(_message.Message):
    __slots__ = ("request_items", "return_consumed_capacity")
    REQUEST_ITEMS_FIELD_NUMBER: _ClassVar[int]
    RETURN_CONSUMED_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    request_items: _containers.RepeatedCompositeFieldContainer[WriteRequest]
    return_consumed_capacity: ReturnConsumedCapacity
    def __init__(self, request_items: _Optional[_Iterable[_Union[WriteRequest, _Mapping]]] = ..., return_consumed_capacity: _Optional[_Union[ReturnConsumedCapacity, str]] = ...) -> None: ...

class BatchWriteItemResponse(_message.Message):
    __slots__ = ("unprocessed_items", "consumed_capacity")
    UNPROCESSED_ITEMS_FIELD_NUMBER: _ClassVar[int]
    CONSUMED_CAPACITY_FIELD_NUMBER: _ClassVar[int]
    unprocessed_items: _containers.RepeatedCompositeFieldContainer[WriteRequest]
    consumed_capacity: _containers.RepeatedCompositeFieldContainer[ConsumedCapacity]
    def __init__(self, unprocessed_items: _Optional[_Iterable[_Union[WriteRequest, _Mapping]]] = ..., consumed_capacity: _Optional[_Iterable[_Union[ConsumedCapacity, _Mapping]]] = ...) -> None: ...

class AttributeDefinition(_message.Message):
    __slots__ = ("attribute_name", "attribute_type")
    ATTRIBUTE_NAME_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_TYPE_FIELD_NUMBER: _ClassVar[int]
    attribute_name: str
    attribute_type: ScalarType
    def __init__(self, attribute_name: _Optional[str] = ..., attribute_type: _Optional[_Union[ScalarType, str]] = ...) -> None: ...

class KeySchemaElement(_message.Message):
    __slots__ = ("attribute_name", "key_type")
    ATTRIBUTE_NAME_FIELD_NUMBER: _ClassVar[int]
    KEY_TYPE_FIELD_NUMBER: _ClassVar[int]
    attribute_name: str
    key_type: KeyType
    def __init__(self, attribute_name: _Optional[str] = ..., key_type: _Optional[_Union[KeyType, str]] = ...) -> None: ...

class Projection(_message.Message):
    __slots__ = ("projection_type", "non_key_attributes")
    PROJECTION_TYPE_FIELD_NUMBER: _ClassVar[int]
    NON_KEY_ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    projection_type: ProjectionType
    non_key_attributes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, projection_type: _Optional[_Union[ProjectionType, str]] = ..., non_key_attributes: _Optional[_Iterable[str]] = ...) -> None: ...

class ProvisionedThroughput(_message.Message):
    __slots__ = ("read_capacity_units", "write_capacity_units")
    READ_CAPACITY_UNITS_FIELD_NUMBER: _ClassVar[int]
    WRITE_CAPACITY_UNITS_FIELD_NUMBER: _ClassVar[int]
    read_capacity_units: int
    write_capacity_units: int
    def __init__(self, read_capacity_units: _Optional[int] = ..., write_capacity_units: _Optional[int] = ...) -> None: ...

class StreamSpecification(_message.Message):
    __slots__ = ("stream_enabled", "stream_view_type")
    STREAM_ENABLED_FIELD_NUMBER: _ClassVar[int]
    STREAM_VIEW_TYPE_FIELD_NUMBER: _ClassVar[int]
    stream_enabled: bool
    stream_view_type: StreamViewType
    def __init__(self, stream_enabled: _Optional[bool] = ..., stream_view_type: _Optional[_Union[StreamViewType, str]] = ...) -> None: ...

class Tag(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: str
    value: str
    def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class LocalSecondaryIndex(_message.Message):
    __slots__ = ("index_name", "key_schema", "projection")
    INDEX_NAME_FIELD_NUMBER: _ClassVar[int]
    KEY_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    PROJECTION_FIELD_NUMBER: _ClassVar[int]
    index_name: str
    key_schema: _containers.RepeatedCompositeFieldContainer[KeySchemaElement]
    projection: Projection
    def __init__(self, index_name: _Optional[str] = ..., key_schema: _Optional[_Iterable[_Union[KeySchemaElement, _Mapping]]] = ..., projection: _Optional[_Union[Projection, _Mapping]] = ...) -> None: ...

class GlobalSecondaryIndex(_message.Message):
    __slots__ = ("index_name", "key_schema", "projection", "provisioned_throughput")
    INDEX_NAME_FIELD_NUMBER: _ClassVar[int]
    KEY_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    PROJECTION_FIELD_NUMBER: _ClassVar[int]
    PROVISIONED_THROUGHPUT_FIELD_NUMBER: _ClassVar[int]
    index_name: str
    key_schema: _containers.RepeatedCompositeFieldContainer[KeySchemaElement]
    projection: Projection
    provisioned_throughput: ProvisionedThroughput
    def __init__(self, index_name: _Optional[str] = ..., key_schema: _Optional[_Iterable[_Union[KeySchemaElement, _Mapping]]] = ..., projection: _Optional[_Union[Projection, _Mapping]] = ..., provisioned_throughput: _Optional[_Union[ProvisionedThroughput, _Mapping]] = ...) -> None: ...

class CreateTableRequest(_message.Message):
    __slots__ = ("table_name", "attribute_definitions", "key_schema", "billing_mode", "provisioned_throughput", "local_secondary_indexes", "global_secondary_indexes", "stream_specification", "tags", "deletion_protection_enabled")
    TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_DEFINITIONS_FIELD_NUMBER: _ClassVar[int]
    KEY_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    BILLING_MODE_FIELD_NUMBER: _ClassVar[int]
    PROVISIONED_THROUGHPUT_FIELD_NUMBER: _ClassVar[int]
    LOCAL_SECONDARY_INDEXES_FIELD_NUMBER: _ClassVar[int]
    GLOBAL_SECONDARY_INDEXES_FIELD_NUMBER: _ClassVar[int]
    STREAM_SPECIFICATION_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    DELETION_PROTECTION_ENABLED_FIELD_NUMBER: _ClassVar[int]
    table_name: str
    attribute_definitions: _containers.RepeatedCompositeFieldContainer[AttributeDefinition]
    key_schema: _containers.RepeatedCompositeFieldContainer[KeySchemaElement]
    billing_mode: BillingMode
    provisioned_throughput: ProvisionedThroughput
    local_secondary_indexes: _containers.RepeatedCompositeFieldContainer[LocalSecondaryIndex]
    global_secondary_indexes: _containers.RepeatedCompositeFieldContainer[GlobalSecondaryIndex]
    stream_specification: StreamSpecification
    tags: _containers.RepeatedCompositeFieldContainer[Tag]
    deletion_protection_enabled: bool
    def __init__(self, table_name: _Optional[str] = ..., attribute_definitions: _Optional[_Iterable[_Union[AttributeDefinition, _Mapping]]] = ..., key_schema: _Optional[_Iterable[_Union[KeySchemaElement, _Mapping]]] = ..., billing_mode: _Optional[_Union[BillingMode, str]] = ..., provisioned_throughput: _Optional[_Union[ProvisionedThroughput, _Mapping]] = ..., local_secondary_indexes: _Optional[_Iterable[_Union[LocalSecondaryIndex, _Mapping]]] = ..., global_secondary_indexes: _Optional[_Iterable[_Union[GlobalSecondaryIndex, _Mapping]]] = ..., stream_specification: _Optional[_Union[StreamSpecification, _Mapping]] = ..., tags: _Optional[_Iterable[_Union[Tag, _Mapping]]] = ..., deletion_protection_enabled: _Optional[bool] = ...) -> None: ...

class CreateTableResponse(_message.Message):
    __slots__ = ("table_description",)
    TABLE_DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    table_description: TableDescription
    def __init__(self, table_description: _Optional[_Union[TableDescription, _Mapping]] = ...) -> None: ...

class DescribeTableRequest(_message.Message):
    __slots__ = ("table_name",)
    TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
    table_name: str
    def __init__(self, table_name: _Optional[str] = ...) -> None: ...

class DescribeTableResponse(_message.Message):
    __slots__ = ("table",)
    TABLE_FIELD_NUMBER: _ClassVar[int]
    table: TableDescription
    def __init__(self, table: _Optional[_Union[TableDescription, _Mapping]] = ...) -> None: ...

class ListTablesRequest(_message.Message):
    __slots__ = ("exclusive_start_table_name", "limit")
    EXCLUSIVE_START_TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    exclusive_start_table_name: str
    limit: int
    def __init__(self, exclusive_start_table_name: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class ListTablesResponse(_message.Message):
    __slots__ = ("table_names", "last_evaluated_table_name")
    TABLE_NAMES_FIELD_NUMBER: _ClassVar[int]
    LAST_EVALUATED_TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
    table_names: _containers.RepeatedScalarFieldContainer[str]
    last_evaluated_table_name: str
    def __init__(self, table_names: _Optional[_Iterable[str]] = ..., last_evaluated_table_name: _Optional[str] = ...) -> None: ...

class DeleteTableRequest(_message.Message):
    __slots__ = ("table_name",)
    TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
    table_name: str
    def __init__(self, table_name: _Optional[str] = ...) -> None: ...

class DeleteTableResponse(_message.Message):
    __slots__ = ("table_description",)
    TABLE_DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    table_description: TableDescription
    def __init__(self, table_description: _Optional[_Union[TableDescription, _Mapping]] = ...) -> None: ...

class BillingModeSummary(_message.Message):
    __slots__ = ("billing_mode",)
    BILLING_MODE_FIELD_NUMBER: _ClassVar[int]
    billing_mode: BillingMode
    def __init__(self, billing_mode: _Optional[_Union[BillingMode, str]] = ...) -> None: ...

class IndexDescription(_message.Message):
    __slots__ = ("index_name", "index_arn", "key_schema", "projection", "index_status", "backfilling", "item_count", "index_size_bytes", "provisioned_throughput")
    INDEX_NAME_FIELD_NUMBER: _ClassVar[int]
    INDEX_ARN_FIELD_NUMBER: _ClassVar[int]
    KEY_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    PROJECTION_FIELD_NUMBER: _ClassVar[int]
    INDEX_STATUS_FIELD_NUMBER: _ClassVar[int]
    BACKFILLING_FIELD_NUMBER: _ClassVar[int]
    ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    INDEX_SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    PROVISIONED_THROUGHPUT_FIELD_NUMBER: _ClassVar[int]
    index_name: str
    index_arn: str
    key_schema: _containers.RepeatedCompositeFieldContainer[KeySchemaElement]
    projection: Projection
    index_status: IndexStatus
    backfilling: bool
    item_count: int
    index_size_bytes: int
    provisioned_throughput: ProvisionedThroughput
    def __init__(self, index_name: _Optional[str] = ..., index_arn: _Optional[str] = ..., key_schema: _Optional[_Iterable[_Union[KeySchemaElement, _Mapping]]] = ..., projection: _Optional[_Union[Projection, _Mapping]] = ..., index_status: _Optional[_Union[IndexStatus, str]] = ..., backfilling: _Optional[bool] = ..., item_count: _Optional[int] = ..., index_size_bytes: _Optional[int] = ..., provisioned_throughput: _Optional[_Union[ProvisionedThroughput, _Mapping]] = ...) -> None: ...

class TableDescription(_message.Message):
    __slots__ = ("table_name", "table_arn", "table_id", "table_status", "creation_date_time", "attribute_definitions", "key_schema", "item_count", "table_size_bytes", "billing_mode_summary", "provisioned_throughput", "local_secondary_indexes", "global_secondary_indexes", "stream_specification", "latest_stream_arn", "deletion_protection_enabled")
    TABLE_NAME_FIELD_NUMBER: _ClassVar[int]
    TABLE_ARN_FIELD_NUMBER: _ClassVar[int]
    TABLE_ID_FIELD_NUMBER: _ClassVar[int]
    TABLE_STATUS_FIELD_NUMBER: _ClassVar[int]
    CREATION_DATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTE_DEFINITIONS_FIELD_NUMBER: _ClassVar[int]
    KEY_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    TABLE_SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    BILLING_MODE_SUMMARY_FIELD_NUMBER: _ClassVar[int]
    PROVISIONED_THROUGHPUT_FIELD_NUMBER: _ClassVar[int]
    LOCAL_SECONDARY_INDEXES_FIELD_NUMBER: _ClassVar[int]
    GLOBAL_SECONDARY_INDEXES_FIELD_NUMBER: _ClassVar[int]
    STREAM_SPECIFICATION_FIELD_NUMBER: _ClassVar[int]
    LATEST_STREAM_ARN_FIELD_NUMBER: _ClassVar[int]
    DELETION_PROTECTION_ENABLED_FIELD_NUMBER: _ClassVar[int]
    table_name: str
    table_arn: str
    table_id: str
    table_status: TableStatus
    creation_date_time: float
    attribute_definitions: _containers.RepeatedCompositeFieldContainer[AttributeDefinition]
    key_schema: _containers.RepeatedCompositeFieldContainer[KeySchemaElement]
    item_count: int
    table_size_bytes: int
    billing_mode_summary: BillingModeSummary
    provisioned_throughput: ProvisionedThroughput
    local_secondary_indexes: _containers.RepeatedCompositeFieldContainer[IndexDescription]
    global_secondary_indexes: _containers.RepeatedCompositeFieldContainer[IndexDescription]
    stream_specification: StreamSpecification
    latest_stream_arn: str
    deletion_protection_enabled: bool
    def __init__(self, table_name: _Optional[str] = ..., table_arn: _Optional[str] = ..., table_id: _Optional[str] = ..., table_status: _Optional[_Union[TableStatus, str]] = ..., creation_date_time: _Optional[float] = ..., attribute_definitions: _Optional[_Iterable[_Union[AttributeDefinition, _Mapping]]] = ..., key_schema: _Optional[_Iterable[_Union[KeySchemaElement, _Mapping]]] = ..., item_count: _Optional[int] = ..., table_size_bytes: _Optional[int] = ..., billing_mode_summary: _Optional[_Union[BillingModeSummary, _Mapping]] = ..., provisioned_throughput: _Optional[_Union[ProvisionedThroughput, _Mapping]] = ..., local_secondary_indexes: _Optional[_Iterable[_Union[IndexDescription, _Mapping]]] = ..., global_secondary_indexes: _Optional[_Iterable[_Union[IndexDescription, _Mapping]]] = ..., stream_specification: _Optional[_Union[StreamSpecification, _Mapping]] = ..., latest_stream_arn: _Optional[str] = ..., deletion_protection_enabled: _Optional[bool] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("code", "message", "definite", "item")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DEFINITE_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    definite: bool
    item: Item
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., definite: _Optional[bool] = ..., item: _Optional[_Union[Item, _Mapping]] = ...) -> None: ...

class SessionRequest(_message.Message):
    __slots__ = ("calls",)
    CALLS_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[Call]
    def __init__(self, calls: _Optional[_Iterable[_Union[Call, _Mapping]]] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("id", "put_item", "get_item", "update_item", "delete_item", "query", "scan", "batch_get_item", "batch_write_item")
    ID_FIELD_NUMBER: _ClassVar[int]
    PUT_ITEM_FIELD_NUMBER: _ClassVar[int]
    GET_ITEM_FIELD_NUMBER: _ClassVar[int]
    UPDATE_ITEM_FIELD_NUMBER: _ClassVar[int]
    DELETE_ITEM_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    SCAN_FIELD_NUMBER: _ClassVar[int]
    BATCH_GET_ITEM_FIELD_NUMBER: _ClassVar[int]
    BATCH_WRITE_ITEM_FIELD_NUMBER: _ClassVar[int]
    id: int
    put_item: PutItemRequest
    get_item: GetItemRequest
    update_item: UpdateItemRequest
    delete_item: DeleteItemRequest
    query: QueryRequest
    scan: ScanRequest
    batch_get_item: BatchGetItemRequest
    batch_write_item: BatchWriteItemRequest
    def __init__(self, id: _Optional[int] = ..., put_item: _Optional[_Union[PutItemRequest, _Mapping]] = ..., get_item: _Optional[_Union[GetItemRequest, _Mapping]] = ..., update_item: _Optional[_Union[UpdateItemRequest, _Mapping]] = ..., delete_item: _Optional[_Union[DeleteItemRequest, _Mapping]] = ..., query: _Optional[_Union[QueryRequest, _Mapping]] = ..., scan: _Optional[_Union[ScanRequest, _Mapping]] = ..., batch_get_item: _Optional[_Union[BatchGetItemRequest, _Mapping]] = ..., batch_write_item: _Optional[_Union[BatchWriteItemRequest, _Mapping]] = ...) -> None: ...

class SessionResponse(_message.Message):
    __slots__ = ("answers", "closed_after")
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    CLOSED_AFTER_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[Answer]
    closed_after: int
    def __init__(self, answers: _Optional[_Iterable[_Union[Answer, _Mapping]]] = ..., closed_after: _Optional[int] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("id", "put_item", "get_item", "update_item", "delete_item", "query", "scan", "batch_get_item", "batch_write_item", "error")
    ID_FIELD_NUMBER: _ClassVar[int]
    PUT_ITEM_FIELD_NUMBER: _ClassVar[int]
    GET_ITEM_FIELD_NUMBER: _ClassVar[int]
    UPDATE_ITEM_FIELD_NUMBER: _ClassVar[int]
    DELETE_ITEM_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    SCAN_FIELD_NUMBER: _ClassVar[int]
    BATCH_GET_ITEM_FIELD_NUMBER: _ClassVar[int]
    BATCH_WRITE_ITEM_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    id: int
    put_item: PutItemResponse
    get_item: GetItemResponse
    update_item: UpdateItemResponse
    delete_item: DeleteItemResponse
    query: QueryResponse
    scan: ScanResponse
    batch_get_item: BatchGetItemResponse
    batch_write_item: BatchWriteItemResponse
    error: Error
    def __init__(self, id: _Optional[int] = ..., put_item: _Optional[_Union[PutItemResponse, _Mapping]] = ..., get_item: _Optional[_Union[GetItemResponse, _Mapping]] = ..., update_item: _Optional[_Union[UpdateItemResponse, _Mapping]] = ..., delete_item: _Optional[_Union[DeleteItemResponse, _Mapping]] = ..., query: _Optional[_Union[QueryResponse, _Mapping]] = ..., scan: _Optional[_Union[ScanResponse, _Mapping]] = ..., batch_get_item: _Optional[_Union[BatchGetItemResponse, _Mapping]] = ..., batch_write_item: _Optional[_Union[BatchWriteItemResponse, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ...) -> None: ...
