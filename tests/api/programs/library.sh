#!/usr/bin/env bash
# A user's program: a town's library kept with the AWS command line, with nothing in it that knows where the store
# is. The environment says it (AWS_ENDPOINT_URL and credentials).
#
# `library.sh TABLE` makes the table, plays a story, prints one line `name<TAB>JSON` (or `name<TAB>refused: why`) for
# each step, and deletes the table. Books lie under SHELF#subject / BOOK#number, readers under READER#name / CARD.
set -euo pipefail

table=$1
refusal=$(mktemp)
trap 'rm -f "$refusal"' EXIT

# told NAME COMMAND…: what `aws dynamodb COMMAND…` prints, on one line, or the last line of its refusal.
told() {
  local name=$1 answer
  shift
  if answer=$(aws dynamodb "$@" 2>"$refusal"); then
    printf '%s\t%s\n' "$name" "$(tr '\n' ' ' <<<"$answer")"
  else
    printf '%s\trefused: %s\n' "$name" "$(tail -n 1 "$refusal")"
  fi
}

# settled NAME WANTED COMMAND…: as `told`, asked until it says WANTED, 15 s at most: a global index is a moment
# behind its table.
settled() {
  local name=$1 wanted=$2 answer
  shift 2
  for _ in {1..15}; do
    answer=$(told "$name" "$@")
    [[ $(tr -d ' \n' <<<"${answer#*$'\t'}") == "$wanted" ]] && break
    sleep 1
  done
  printf '%s\n' "$answer"
}

told created create-table \
  --table-name "$table" \
  --attribute-definitions \
    AttributeName=PK,AttributeType=S \
    AttributeName=SK,AttributeType=S \
    AttributeName=GSI1PK,AttributeType=S \
    AttributeName=GSI1SK,AttributeType=S \
    AttributeName=year,AttributeType=N \
  --key-schema \
    AttributeName=PK,KeyType=HASH \
    AttributeName=SK,KeyType=RANGE \
  --global-secondary-indexes \
    '[{
      "IndexName": "GSI1",
      "KeySchema": [
        {"AttributeName":"GSI1PK","KeyType":"HASH"},
        {"AttributeName":"GSI1SK","KeyType":"RANGE"}
      ],
      "Projection": {"ProjectionType":"ALL"}
    }]' \
  --local-secondary-indexes \
    'IndexName=ByYear,KeySchema=[{AttributeName=PK,KeyType=HASH},{AttributeName=year,KeyType=RANGE}],Projection={ProjectionType=KEYS_ONLY}' \
  --billing-mode PAY_PER_REQUEST \
  --tags Key=Environment,Value=production \
  --query 'TableDescription.{Name:TableName,Global:GlobalSecondaryIndexes[].IndexName,Local:LocalSecondaryIndexes[].IndexName}'
aws dynamodb wait table-exists --table-name "$table"
told described describe-table --table-name "$table" \
  --query 'Table.{Status:TableStatus,ItemCount:ItemCount,Size:TableSizeBytes}'
printf 'listed\t%s\n' "$(aws dynamodb list-tables --output table | grep -cw -- "$table")"

# Ten books on one shelf in one batch, then a reader, who can be entered only once.
requests=''
for number in {0..9}; do
  requests+="{\"PutRequest\":{\"Item\":{
    \"PK\":{\"S\":\"SHELF#sea\"},\"SK\":{\"S\":\"BOOK#$number\"},
    \"year\":{\"N\":\"$((2009 - number))\"},\"copies\":{\"N\":\"2\"},\"title\":{\"S\":\"Waves $number\"}}}},"
done
told filled batch-write-item --request-items "{\"$table\":[${requests%,}]}"
reader='{"PK":{"S":"READER#ann"},"SK":{"S":"CARD"},"loans":{"L":[]},"since":{"S":"2026-11-23"}}'
told entered put-item --table-name "$table" --item "$reader" --condition-expression 'attribute_not_exists(PK)'
told 'entered twice' put-item --table-name "$table" --item "$reader" \
  --condition-expression 'attribute_not_exists(PK)'

# A loan: the book is lent while there are copies, and stands in the index under its reader.
lend() {
  told "$1" update-item --table-name "$table" \
    --key '{"PK":{"S":"SHELF#sea"},"SK":{"S":"BOOK#3"}}' \
    --update-expression 'SET copies = copies - :one, GSI1PK = :reader, GSI1SK = :day' \
    --condition-expression 'copies >= :one' \
    --expression-attribute-values '{":one":{"N":"1"},":reader":{"S":"READER#ann"},":day":{"S":"2026-11-23"}}' \
    --return-values UPDATED_NEW
}
lend lent
lend 'lent again'
lend 'lent too often'
settled 'on loan' '["Waves3"]' query --table-name "$table" --index-name GSI1 \
  --key-condition-expression 'GSI1PK = :reader AND begins_with(GSI1SK, :month)' \
  --expression-attribute-values '{":reader":{"S":"READER#ann"},":month":{"S":"2026-11"}}' \
  --query 'Items[].title.S'

# Pages: the command line asks for three at a time, and by itself until there are no more.
told 'by number' query --table-name "$table" --page-size 3 --consistent-read \
  --key-condition-expression 'PK = :shelf' --expression-attribute-values '{":shelf":{"S":"SHELF#sea"}}' \
  --query 'Items[].SK.S'
told 'oldest' query --table-name "$table" --index-name ByYear --max-items 4 --page-size 2 --consistent-read \
  --key-condition-expression 'PK = :shelf AND #y < :year' --expression-attribute-names '{"#y":"year"}' \
  --expression-attribute-values '{":shelf":{"S":"SHELF#sea"},":year":{"N":"2006"}}' \
  --query 'Items[].SK.S'
told 'two copies' scan --table-name "$table" --consistent-read --select COUNT \
  --filter-expression 'copies = :two' --expression-attribute-values '{":two":{"N":"2"}}'
told statement execute-statement --consistent-read \
  --statement "SELECT title, copies FROM \"$table\" WHERE PK = ? AND SK = ?" \
  --parameters '[{"S":"SHELF#sea"},{"S":"BOOK#3"}]' --query 'Items'
told 'batch' batch-get-item --query "Responses.\"$table\"[].since.S" --request-items \
  "{\"$table\":{\"Keys\":[{\"PK\":{\"S\":\"READER#ann\"},\"SK\":{\"S\":\"CARD\"}}],\"ConsistentRead\":true}}"

told removed delete-item --table-name "$table" --key '{"PK":{"S":"SHELF#sea"},"SK":{"S":"BOOK#3"}}' \
  --return-values ALL_OLD --query 'Attributes.title'
settled 'none on loan' '0' query --table-name "$table" --index-name GSI1 \
  --key-condition-expression 'GSI1PK = :reader' \
  --expression-attribute-values '{":reader":{"S":"READER#ann"}}' --query 'Count'
told gone get-item --table-name "$table" --key '{"PK":{"S":"SHELF#sea"},"SK":{"S":"BOOK#3"}}' --consistent-read
told deleted delete-table --table-name "$table" --query 'TableDescription.TableName'
aws dynamodb wait table-not-exists --table-name "$table"
told 'no table' describe-table --table-name "$table"
