/* A user's program: a web site's sessions and carts through the AWS SDK for JavaScript, with nothing in it that knows
 * where the store is. The environment says it (AWS_ENDPOINT_URL and credentials).
 *
 * `node sessions.mjs TABLE` makes the table, plays a story, prints what each step gave, as JSON, and deletes it.
 */
import {
  BatchWriteItemCommand,
  CreateTableCommand,
  DeleteTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  paginateListTables,
  waitUntilTableExists,
  waitUntilTableNotExists,
} from "@aws-sdk/client-dynamodb";
import {
  BatchGetCommand,
  DeleteCommand,
  DynamoDBDocumentClient,
  ExecuteStatementCommand,
  GetCommand,
  paginateQuery,
  paginateScan,
  PutCommand,
  QueryCommand,
  UpdateCommand,
} from "@aws-sdk/lib-dynamodb";

const TableName = process.argv[2];
const client = new DynamoDBClient({});
const documents = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
const waiting = { client, maxWaitTime: 60, minDelay: 1, maxDelay: 2 };

const keys = (partition, sort) => [
  { AttributeName: partition, KeyType: "HASH" },
  { AttributeName: sort, KeyType: "RANGE" },
];

async function createTable() {
  const kinds = { user: "S", session: "S", device: "S", seen: "N" };
  await client.send(
    new CreateTableCommand({
      TableName,
      AttributeDefinitions: Object.entries(kinds).map(([AttributeName, AttributeType]) => ({
        AttributeName,
        AttributeType,
      })),
      KeySchema: keys("user", "session"),
      GlobalSecondaryIndexes: [
        {
          IndexName: "by-device",
          KeySchema: keys("device", "seen"),
          Projection: { ProjectionType: "INCLUDE", NonKeyAttributes: ["cart"] },
        },
      ],
      LocalSecondaryIndexes: [
        { IndexName: "by-seen", KeySchema: keys("user", "seen"), Projection: { ProjectionType: "ALL" } },
      ],
      BillingMode: "PAY_PER_REQUEST",
    }),
  );
  await waitUntilTableExists(waiting, { TableName });
}

/** Refused when the session exists. */
async function signIn(user, session, device, seen) {
  const Item = { user, session, device, seen, cart: [], flags: new Set(["fresh"]), agent: undefined };
  await documents.send(
    new PutCommand({ TableName, Item, ConditionExpression: "attribute_not_exists(#u)", ExpressionAttributeNames: { "#u": "user" } }),
  );
}

/** The cart after it; refused when the session has been seen at that moment or later. */
async function addToCart(user, session, product, seen) {
  const { Attributes } = await documents.send(
    new UpdateCommand({
      TableName,
      Key: { user, session },
      UpdateExpression: "SET cart = list_append(cart, :product), seen = :seen ADD visits :one DELETE flags :fresh",
      ConditionExpression: "seen < :seen",
      ExpressionAttributeValues: { ":product": [product], ":seen": seen, ":one": 1, ":fresh": new Set(["fresh"]) },
      ReturnValues: "ALL_NEW",
    }),
  );
  return Attributes;
}

async function everything(pages, items = []) {
  for await (const page of pages) items.push(...page.Items);
  return items;
}

/** The newest first, two at a time. */
const sessionsBySeen = (user) =>
  everything(
    paginateQuery(
      { client: documents, pageSize: 2 },
      {
        TableName,
        IndexName: "by-seen",
        KeyConditionExpression: "#u = :user",
        ExpressionAttributeNames: { "#u": "user" },
        ExpressionAttributeValues: { ":user": user },
        ScanIndexForward: false,
        ConsistentRead: true,
      },
    ),
  );

async function onDevice(device, since) {
  const { Items } = await documents.send(
    new QueryCommand({
      TableName,
      IndexName: "by-device",
      KeyConditionExpression: "device = :device AND seen >= :since",
      ExpressionAttributeValues: { ":device": device, ":since": since },
    }),
  );
  return Items.map((item) => [item.session, item.cart?.length ?? null]);
}

/** Twenty-five at a time, again what was not taken. */
async function importSessions(count) {
  let requests = Array.from({ length: count }, (_, number) => ({
    PutRequest: {
      Item: {
        user: { S: `guest ${number % 7}` },
        session: { S: `s${String(number).padStart(3, "0")}` },
        seen: { N: String(number) },
        token: { B: new Uint8Array([number, 255, 0]) },
      },
    },
  }));
  while (requests.length > 0) {
    const { UnprocessedItems } = await client.send(
      new BatchWriteItemCommand({ RequestItems: { [TableName]: requests.slice(0, 25) } }),
    );
    requests = [...requests.slice(25), ...(UnprocessedItems?.[TableName] ?? [])];
  }
}

async function refusal(call) {
  try {
    await call;
  } catch (error) {
    return [error.name, error.message, error.Item?.session?.S ?? null];
  }
  return null;
}

/** The call's answer, asked until it is `wanted`, 15 s at most: a global index is a moment behind its table. */
async function settled(call, wanted) {
  const deadline = Date.now() + 15_000;
  for (;;) {
    const answer = await call();
    if (JSON.stringify(answer) === JSON.stringify(wanted) || Date.now() > deadline) return answer;
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

const told = {};
await createTable();
const { Table } = await client.send(new DescribeTableCommand({ TableName }));
told.table = [
  Table.TableStatus,
  Table.BillingModeSummary.BillingMode,
  Table.GlobalSecondaryIndexes[0].IndexStatus,
  Table.CreationDateTime instanceof Date,
];
const names = [];
for await (const page of paginateListTables({ client, pageSize: 100 }, {})) names.push(...page.TableNames);
told.listed = names.includes(TableName);

await signIn("ann", "s1", "phone", 100);
await signIn("ann", "s2", "desk", 200);
await signIn("ann", "s3", "phone", 300);
await signIn("bob", "s1", "phone", 400);
told["signed in twice"] = await refusal(signIn("ann", "s1", "phone", 500));

const after = await addToCart("ann", "s1", { name: "tea", price: 3.5, sizes: [1, 2] }, 600);
told["cart"] = [after.cart, after.visits, after.seen, after.flags ?? null];
told["seen already"] = await refusal(addToCart("ann", "s1", { name: "cup" }, 600));
told["by seen"] = (await sessionsBySeen("ann")).map((item) => item.session);
told["on the phone"] = await settled(() => onDevice("phone", 300), [["s3", 0], ["s1", 0], ["s1", 1]]);
told["strong read of a global index"] = await refusal(
  documents.send(
    new QueryCommand({
      TableName,
      IndexName: "by-device",
      ConsistentRead: true,
      KeyConditionExpression: "device = :device",
      ExpressionAttributeValues: { ":device": "phone" },
    }),
  ),
);

await importSessions(70);
const scan = { TableName, ConsistentRead: true, FilterExpression: "attribute_exists(#t)", ExpressionAttributeNames: { "#t": "token" } };
const scanned = await everything(paginateScan({ client: documents, pageSize: 20 }, scan));
told.scanned = [scanned.length, [...scanned.find((item) => item.session === "s069").token]];
const { Responses } = await documents.send(
  new BatchGetCommand({
    RequestItems: {
      [TableName]: {
        Keys: Array.from({ length: 100 }, (_, number) => ({ user: "guest 3", session: `s${String(number).padStart(3, "0")}` })),
        ProjectionExpression: "#s",
        ExpressionAttributeNames: { "#s": "session" },
        ConsistentRead: true,
      },
    },
  }),
);
told.batch = Responses[TableName].map((item) => item.session).sort();
const { Items } = await documents.send(
  new ExecuteStatementCommand({
    Statement: `SELECT seen FROM "${TableName}" WHERE "user" = ? AND "session" = ?`,
    Parameters: ["ann", "s1"],
    ConsistentRead: true,
  }),
);
told.statement = Items;

const { Attributes } = await documents.send(
  new DeleteCommand({ TableName, Key: { user: "ann", session: "s3" }, ReturnValues: "ALL_OLD" }),
);
told["signed out"] = Attributes.seen;
told["gone"] = (await documents.send(new GetCommand({ TableName, Key: { user: "ann", session: "s3" }, ConsistentRead: true }))).Item ?? null;
told["left on the phone"] = await settled(() => onDevice("phone", 0), [["s1", 0], ["s1", 1]]);
await client.send(new DeleteTableCommand({ TableName }));
await waitUntilTableNotExists(waiting, { TableName });
told["no table"] = await refusal(documents.send(new GetCommand({ TableName, Key: { user: "ann", session: "s1" } })));
console.log(JSON.stringify(told));
