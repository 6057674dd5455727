#!/bin/sh
# A story of two friends, with curl and openssl: befriend, remark, list, watch, block, the question before every
# message, and a callback.
#
#   clients/examples/story.sh ADDRESS CLIENT_ID CLIENT_SECRET
#
# `befriend serve --ephemeral` prints all three. The calls are JSON over HTTP (docs/http-json.md); `curl` has
# --json since 7.82.
set -eu
address=$1 client_id=$2 client_secret=$3

token=$(curl -sSf --json "{\"clientId\": \"$client_id\", \"clientSecret\": \"$client_secret\"}" \
    "http://$address/befriend.v1.TokenService/IssueToken" | sed -n 's/.*"accessToken": *"\([^"]*\)".*/\1/p')
call() {
    curl -sSf --json "$2" -H "authorization: Bearer $token" "http://$address/befriend.v1.$1"
    echo
}

call UserService/BatchCreateUsers '{"users": [{"username": "alice"}, {"username": "bob"}, {"username": "carol"}]}'
call FriendService/AddFriend '{"owner": "alice", "friend": "bob"}'
call FriendService/SetRemark '{"owner": "alice", "friend": "bob", "remark": "from the gym"}'
call FriendService/ListFriends '{"owner": "alice", "includeRemark": true}'

# A watch is a stream of envelopes: a byte of flags, four bytes of length, and the message. The first message has
# the list as it is; curl ends the stream after two seconds, behind that message.
request='{"owner": "alice"}'
printf "\\000\\000\\000\\000\\$(printf %03o ${#request})%s" "$request" |
    curl -s --no-buffer --max-time 2 --data-binary @- -H "authorization: Bearer $token" \
        -H 'content-type: application/connect+json' "http://$address/befriend.v1.FriendService/WatchFriends" |
    tail -c +6
echo

call BlockService/BlockUsers '{"owner": "bob", "usernames": ["alice"]}'
call RelationService/CheckRelations '{"username": "alice", "others": ["bob", "carol"]}'

# A callback is verified before it is read. This is the sample of docs/callbacks.md; a server of yours also refuses
# a webhook-timestamp that is more than five minutes from now.
secret=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
id=evt_69f101dc9c2a0c184c2b02f27f5252ff_7 timestamp=1795262400
signature='v1,A/c+XkOVBe568Um32oeb8nR2Wof5hrTS9uEU3hkQd9s='
body='{"type":"friend.added","timestamp":"2026-11-21T12:00:00.123Z","data":{"app":"acme#chat","owner":"alice","friend":"bob","version":7}}'
key=$(printf %s "${secret#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
made=$(printf %s "$id.$timestamp.$body" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)
if [ "v1,$made" = "$signature" ]; then
    echo "verified: $body"
else
    echo 'this callback may not be trusted' >&2
    exit 1
fi

# The same list, as Easemob's clients ask for it.
curl -sSf -H "Authorization: Bearer $token" "http://$address/ephemeral/app/users/alice/contacts/users"
echo
