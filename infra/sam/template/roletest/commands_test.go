package roletest_test

import (
	"apitoken/infra/dynamo/item"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// warned is the update that notes a warning in a view.
const warned = "SET warned = :w REMOVE due"

// commandCalls has the calls of the functions that change tokens, users and
// settings.
func commandCalls() []roleCall {
	return []roleCall{
		{"update", query(log, "", "PK = :v", "TOKEN#a"), true},
		{"update", query(log, "", "PK = :v", "USER#ann"), true},
		{"update", query(log, "", "PK = :v", "SETTINGS"), true},
		{"update", transaction(putPart("USER#ann"), putPart("TOKEN#a")), true},
		{"update", transaction(putPart("USER#ann"), putPart("SETTINGS")), false},
		{"update", transaction(putPart("USER#ann"), putPart("REPLY#a")), false},
		{"update", transaction(putPart("NOTICE#TokenExpiring/a")), false},
		{"update", update("TOKEN#a", "TOKEN", "SET verifier = :v"), false},
		{"update", update("TOKEN#a", "USE", touch), false},
		{"update", get("REPLY#a"), false},
		{"update", query(log, "list", "list = :v", "LIST#2026-11"), false},
		{"update", put(audit, "user/ann"), false},

		{"update", transaction(putPart("SESSION#ann"), putPart("TOKEN#a")), true},

		{"revoke", transaction(putPart("USER#ann"), putPart("TOKEN#a")), true},
		{"revoke", query(log, "", "PK = :v", "SESSION#ann"), true},
		{"revoke", transaction(putPart("SESSION#ann"), putPart("TOKEN#a")), true},

		{"create", query(log, "", "PK = :v", "SESSION#ann"), false}, // no session makes a create more expensive
		{"create", transaction(putPart("SESSION#ann"), putPart("TOKEN#a")), false},

		{"rotate", query(log, "", "PK = :v", "TOKEN#a"), true},
		{"rotate", get("REPLY#a"), true},
		{"rotate", get("TOKEN#a"), false},
		{"rotate", get("USER#ann"), false},
		{"rotate", batch("REPLY#a"), false},
		{"rotate", query(log, "", "PK = :v", "REPLY#a"), false},
		{"rotate", transaction(putPart("USER#ann"), putPart("TOKEN#a"), putPart("REPLY#a")), true},
		{"rotate", transaction(putPart("USER#ann"), putPart("SETTINGS")), false},
		{"rotate", put(log, "NOTICE#TokenReused/JhxND7ci/7/2026-11-21"), false},
		{"rotate", update("TOKEN#a", "TOKEN", "SET verifier = :v"), false},
		{"rotate", query(log, "", "PK = :v", "SESSION#ann"), true},
		{"rotate", transaction(putPart("SESSION#ann"), putPart("TOKEN#a")), true},
		{"rotate", put(audit, "user/ann"), false},

		{"login", query(log, "", "PK = :v", "SETTINGS"), true},
		{"login", query(log, "", "PK = :v", "SESSION#ann"), true},
		{"login", query(log, "", "PK = :v", "USER#ann"), true}, // whether the user is suspended
		{"login", transaction(putPart("SESSION#ann"), putPart("TOKEN#a")), true},
		{"login", transaction(putPart("USER#ann"), putPart("TOKEN#a")), false},
		{"login", transaction(putPart("SESSION#ann"), putPart("SETTINGS")), false},
		{"login", transaction(putPart("SESSION#ann"), putPart("REPLY#a")), false},
		{"login", put(log, "NOTICE#TokenReused/JhxND7ci/7/2026-11-21"), true},
		{"login", query(log, "owner", "owner = :v", "ann"), false},
		{"login", put(audit, "user/ann"), false},

		{"oauth", query(log, "", "PK = :v", "SETTINGS"), true},
		{"oauth", query(log, "", "PK = :v", "USER#ann"), true},
		{"oauth", transaction(putPart("USER#ann"), putPart("TOKEN#a")), true},
		{"oauth", transaction(putPart("USER#ann"), putPart("SETTINGS")), false},
		{"oauth", transaction(putPart("USER#ann"), putPart("REPLY#a")), false},
		{"oauth", put(log, "NOTICE#TokenReused/JhxND7ci/7/2026-11-21"), true},
		{"oauth", query(log, "owner", "owner = :v", "ann"), false},
		{"oauth", query(log, "", "PK = :v", "SESSION#ann"), true},
		{"oauth", transaction(putPart("SESSION#ann"), putPart("TOKEN#a")), true},
		{"oauth", put(audit, "user/ann"), false},

		{"self", transaction(putPart("USER#ann"), putPart("TOKEN#a"), putPart("REPLY#a")), true},
		{"self", transaction(putPart("USER#ann"), putPart("SETTINGS")), false},
		{"self", query(log, "", "PK = :v", "SESSION#ann"), true},
		{"self", transaction(putPart("SESSION#ann"), putPart("TOKEN#a")), true},
		{"self", get("REPLY#a"), true},
		{"self", get("USER#ann"), false},
		{"self", query(log, "owner", "owner = :v", "ann"), false},

		{"settings", query(log, "", "PK = :v", "SETTINGS"), true},
		{"settings", query(log, "", "PK = :v", "USER#ann"), true},
		{"settings", query(log, "", "PK = :v", "TOKEN#a"), true},
		{"settings", query(log, "", "PK = :v", "REPLY#a"), false},
		{"settings", query(log, "", "PK = :v", "SESSION#ann"), false},
		{"settings", transaction(putPart("SETTINGS")), true},
		{"settings", transaction(putPart("USER#ann"), putPart("TOKEN#a")), true},
		{"settings", transaction(putPart("SETTINGS"), putPart("REPLY#a")), false},
		{"settings", put(log, "SETTINGS2"), false},
		{"settings", put(log, "NOTICE#TokenReused/JhxND7ci/7/2026-11-21"), false},
		{"settings", update("SETTINGS", "HEAD", "SET version = :v"), false},
		{"settings", &dynamodb.DeleteItemInput{TableName: aws.String(log), Key: item.Key("SETTINGS", "HEAD")}, false},
		{"settings", put(audit, "settings"), false},

		{"vast", query(log, "", "PK = :v", "USER#ann"), true},
		{"vast", query(log, "", "PK = :v", "SETTINGS"), true},
		{"vast", query(log, "", "PK = :v", "REPLY#a"), false},
		{"vast", query(log, "list", "list = :v", "LIST#2026-11"), true},
		{"vast", query(log, "list", "list = :v", "SESSIONS#2026-11"), false},
		{"vast", query(log, "owner", "owner = :v", "ann"), true},
		{"vast", query(log, "due", "due = :v AND due_at <= :now", "DUE#0"), false},
		{"vast", &dynamodb.ScanInput{TableName: aws.String(log)}, false},
		{"vast", transaction(putPart("USER#ann"), putPart("TOKEN#a")), true},
		{"vast", transaction(putPart("SETTINGS")), true},
		{"vast", transaction(putPart("USER#ann"), putPart("REPLY#a")), false},
		{"vast", get("REPLY#a"), false},
		{"vast", update("TOKEN#a", "USE", touch), true},
		{"vast", update("TOKEN#a", "TOKEN", "SET verifier = :v"), false},
		{"vast", &dynamodb.DeleteItemInput{TableName: aws.String(log), Key: item.Key("USER#ann", "HEAD")}, false},
		{"vast", query(log, "", "PK = :v", "SESSION#ann"), true},
		{"vast", transaction(putPart("SESSION#ann"), putPart("TOKEN#a")), true},
		{"vast", put(audit, "user/ann"), false},

		{"suspend", query(log, "", "PK = :v", "USER#ann"), true},
		{"suspend", query(log, "", "PK = :v", "SETTINGS"), true},
		{"suspend", query(log, "", "PK = :v", "TOKEN#a"), true},
		{"suspend", query(log, "owner", "owner = :v", "ann"), false},
		{"suspend", transaction(putPart("USER#ann"), putPart("TOKEN#a"), putPart("TOKEN#b")), true},
		{"suspend", transaction(putPart("USER#ann"), putPart("SETTINGS")), false},
		{"suspend", transaction(putPart("USER#ann"), putPart("REPLY#a")), false},
		{"suspend", update("USER#ann", "HEAD", "SET version = :v"), false},
		{"suspend", get("REPLY#a"), false},
		{"suspend", query(log, "", "PK = :v", "SESSION#ann"), true},
		{"suspend", transaction(putPart("SESSION#ann"), putPart("TOKEN#a")), true},
		{"suspend", put(audit, "user/ann"), false},

		{"expire", query(log, "due", "due = :v AND due_at <= :now", "DUE#0"), true},
		{"expire", query(log, "due", "due = :v AND due_at <= :now", "DUE#SESSION#0"), true},
		{"expire", query(log, "due", "due_at <= :v", "2026"), false}, // it names no partition
		{"expire", &dynamodb.ScanInput{TableName: aws.String(log)}, false},
		{"expire", &dynamodb.ScanInput{TableName: aws.String(log), IndexName: aws.String("due")}, false},
		{"expire", query(log, "list", "list = :v", "LIST#2026-11"), false},
		{"expire", query(log, "owner", "owner = :v", "ann"), false},
		{"expire", query(log, "", "PK = :v", "TOKEN#a"), true},
		{"expire", query(log, "", "PK = :v", "REPLY#a"), false},
		{"expire", transaction(putPart("USER#ann"), putPart("TOKEN#a")), true},
		{"expire", transaction(putPart("USER#ann"), putPart("SETTINGS")), false},
		{"expire", put(log, "NOTICE#TokenExpiring/JhxND7ci/2026-11-21T12:00:00.000000Z/7"), true},
		{"expire", put(log, "NOTICE#TokenExpiring"), false},
		{"expire", put(log, "NOTICE#TokenReused/JhxND7ci/7/2026-11-21"), false},
		{"expire", transaction(putPart("NOTICE#TokenReused/JhxND7ci/7/2026-11-21")), false},
		{"expire", update("TOKEN#a", "TOKEN", warned), true},
		{"expire", on(update("TOKEN#a", "TOKEN", warned), "seq = :seq"), true},
		{"expire", on(update("TOKEN#a", "TOKEN", warned), "begins_with(verifier, :guess)"), false},
		{"expire", returning(update("TOKEN#a", "TOKEN", warned), types.ReturnValueAllNew), false},
		{"expire", update("TOKEN#a", "TOKEN", "SET expires_at = :later"), false},
		{"expire", update("TOKEN#a", "TOKEN", "REMOVE ended"), false},
		{"expire", update("USER#ann", "HEAD", warned), false},
		{"expire", update("NOTICE#TokenExpiring/a", "NOTICE", sent), false},
		{"expire", query(log, "", "PK = :v", "SESSION#ann"), true},
		{"expire", transaction(putPart("SESSION#ann"), putPart("TOKEN#a")), true},
		{"expire", put(audit, "user/ann"), false},
	}
}
