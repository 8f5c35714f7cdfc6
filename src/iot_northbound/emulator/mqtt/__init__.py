"""The emulator's MQTT port (chapter 8 of the reference): devices log in, report, and get commands."""
