"""The programs of docs/bulk.md."""

from pathlib import Path

# --8<-- [start:register]
from iot_northbound import NorthApiClient

client = NorthApiClient.from_profile("~/.iot-northbound/emulator/profile.toml")
client.start_timer()
rows = [
    {"nodeId": "lamp-1", "productId": "street-lamp-nb"},
    {"nodeId": "lamp-2", "productId": "street-lamp-nb"},
]
report = client.bulk.register(rows, journal="lamps.journal")
for result in report.done:
    print(result.key, result.value and result.value.device_id)
for result in report.failed:
    print(result.row, result.key, result.error)
# --8<-- [end:register]

# --8<-- [start:check-first]
report = client.bulk.register(rows, dry_run=True)
for result in report.failed:
    print(f"row {result.row}: {result.error}")
# --8<-- [end:check-first]

Path("lamps.csv").write_text("nodeId,productId\nlamp-3,street-lamp-nb\n")

# --8<-- [start:files]
from iot_northbound.bulk.files import private_file, read_rows, write_results

rows_of_file = read_rows("lamps.csv", "register")
report = client.bulk.register(rows_of_file, journal="lamps-csv.journal")
with private_file("results.csv") as file:
    write_results(file, report)
# --8<-- [end:files]

assert len(report.done) == 1

# --8<-- [start:one-device]
from iot_northbound.dto import RegDirectDeviceInDTO2

lamp = RegDirectDeviceInDTO2(node_id="lamp-4", product_id="street-lamp-nb")
ensured = client.device_management.ensure_device(lamp)
found = client.device_management.find_device("lamp-4")
print(ensured.device_id, found and found.device_id)
# --8<-- [end:one-device]

client.close()
