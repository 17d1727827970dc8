PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE hold (
        id TEXT PRIMARY KEY,
        phase TEXT NOT NULL,
        version INTEGER NOT NULL,
        join_key TEXT NOT NULL,
        requester TEXT,
        opened_at INTEGER NOT NULL,
        next_timer INTEGER,
        ended_at INTEGER,
        body TEXT NOT NULL
    ) STRICT;
INSERT INTO hold VALUES('h-01m8651j99kp7ftbc5a0qag2y5','Pending',0,'sha256:2dbe431869f18177e161caeef09dc2be929b1a7e3587abf8f55e11fc13b45fc8',NULL,1795502950697,1795506550698,NULL,'{"ask":{"id":"h-01m8651j99kp7ftbc5a0qag2y5","query":"q-01m8651j96vrw00cks9k15tfdy","join":"sha256:2dbe431869f18177e161caeef09dc2be929b1a7e3587abf8f55e11fc13b45fc8","digest":"sha256:07e3b1a12baad71d22fa02fdc71865fc0c4ca4018c0c584554fee709e6e87fc2","revision":"sha256:da4031a0faa309f569175faa987074ba0ac4904be7d73b20a139c1e340cc57e4","requester":{"user":null,"groups":[]},"namespace":"default","route":"POST /v1/chat/completions","model":"m","chains":[{"name":{"namespace":"default","name":"people"},"expires_after":{"secs":3600,"nanos":0},"separation_of_duties":false,"on_client_gone":"Detach","valid_for_max":{"secs":3600,"nanos":0},"stages":[{"name":"one","approvers":[{"user":"alice"}],"quorum":{"approve":1,"deny":1},"escalate_after":null,"fallback":[]}]}],"reasons":[{"policy":{"namespace":"default","name":"contracts"},"rule":"ask","matcher":"keyword","place":"messages[0].content"}],"excerpt":"messages[0].content (User):\n| a ⟪contract⟫\n","opened_at":"2026-11-24T06:49:10.697111413Z","ahead":null,"callback":null},"state":"pending","tracks":[{"stage":0,"stage_since":"2026-11-24T06:49:10.697111413Z","escalated_at":null,"satisfied_at":null,"votes":[]}],"claims":[],"delivered_at":null,"version":0,"changed_at":"2026-11-24T06:49:10.697111413Z","attended_until":null}');
CREATE TABLE decision (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        hold TEXT NOT NULL,
        decision TEXT NOT NULL,
        person TEXT NOT NULL,
        authenticated_by TEXT NOT NULL,
        reason TEXT NOT NULL,
        decided_at INTEGER NOT NULL,
        recorded INTEGER NOT NULL DEFAULT 0
    ) STRICT;
DELETE FROM sqlite_sequence;
CREATE INDEX hold_by_join ON hold (join_key);
CREATE INDEX hold_by_phase ON hold (phase, requester);
CREATE INDEX hold_by_timer ON hold (next_timer) WHERE next_timer IS NOT NULL;
CREATE INDEX hold_by_end ON hold (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX decision_to_record ON decision (number) WHERE recorded = 0;
COMMIT;
PRAGMA user_version = 1;
